"""One call of a webhook: bounded in time and in what is read, no redirects, only to where the guard lets it."""

import asyncio
import ssl
import time
from collections.abc import Mapping
from typing import Final

import httpcore
import httpx
import msgspec

from intake.push.guard import Guard, GuardedNetwork, RefusedAddressError, UnknownHostError

_MOST_READ_BYTES: Final = 16 * 1024
_IDLE_SECONDS: Final = 5.0


class Reply(msgspec.Struct, frozen=True):
    """What came of a call: a status, or one word that says why there is none."""

    status: int | None = None
    error: str | None = None
    retry_after: str | None = None
    seconds: float = 0.0


class Poster:
    """Calls webhooks. ``seconds`` is for all of one call: name, connection, sending, answer."""

    def __init__(self, guard: Guard, *, seconds: float = 15.0, most_connections: int = 20) -> None:
        self._seconds = seconds
        context = httpx.create_ssl_context()  # the usual authorities, or those in SSL_CERT_FILE
        self._pools = {
            scheme: httpcore.AsyncConnectionPool(
                ssl_context=context,
                max_connections=most_connections,
                keepalive_expiry=_IDLE_SECONDS,
                network_backend=GuardedNetwork(guard, encrypted=scheme == "https"),
            )
            for scheme in ("https", "http")
        }

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send a body; whatever comes of it is a Reply."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._seconds):
                reply = await self._post(url, headers, body)
        except (TimeoutError, httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
            reply = Reply(error=_word(error))
        except RefusedAddressError:
            reply = Reply(error="address_refused")
        except UnknownHostError:
            reply = Reply(error="name_not_resolved")
        return msgspec.structs.replace(reply, seconds=time.monotonic() - began)

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        sent = {"content-type": "application/json", "user-agent": "drawdown-webhooks/1", **headers}
        pool = self._pools[url.split(":", 1)[0]]
        async with pool.stream("POST", url, headers=list(sent.items()), content=body) as response:
            read = 0
            async for piece in response.aiter_stream():
                read += len(piece)
                if read > _MOST_READ_BYTES:
                    break  # it has answered; what else it says is not wanted
            told = {name.lower(): value for name, value in response.headers}
            return Reply(response.status, retry_after=told.get(b"retry-after", b"").decode("latin-1") or None)

    async def close(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()


def _word(error: Exception) -> str:
    if isinstance(error, TimeoutError | httpcore.TimeoutException):
        return "timeout"
    if isinstance(error.__cause__ or error.__context__, ssl.SSLError):
        return "tls_failed"
    return "connection_failed" if isinstance(error, httpcore.ConnectError) else "connection_lost"
