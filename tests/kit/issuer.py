"""An issuer of tokens on a real port, which can change its keys, go away, hang, and sign what it should not."""

import asyncio
import json
import socket
import time
from typing import Any, Final, Literal, TypeAlias

import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kit.access import Access
from kit.access_keys import IssuerKeys
from kit.access_tokens import Verifier
from stack.ports import free_ports

NAME: Final = "https://id.example.gov.cn/realms/city"
AUDIENCE: Final = "drawdown"

SigningKey: TypeAlias = ECKey | OKPKey | RSAKey


def new_key(kid: str, use: Literal["sig", "enc"] = "sig") -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid, "use": use})


class Issuer:
    """`published` is what the JWKS URL answers, `key` what `token` signs with; `asked` counts the calls."""

    def __init__(self) -> None:
        [self._port] = free_ports(1)
        self.url = f"http://127.0.0.1:{self._port}/keys"
        self.key: SigningKey = new_key("first")
        self.published: list[dict[str, Any]] = [public(self.key)]
        self.body: str | None = None
        self.status = 200
        self.asked = 0
        self.answers = asyncio.Event()
        self.answers.set()
        self._listener: socket.socket | None = None
        self._server: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None

    def come(self) -> None:
        """Listen from now on; whoever connects is answered as soon as the server runs."""
        self._listener = socket.create_server(("127.0.0.1", self._port))
        app = Starlette(routes=[Route("/keys", self._keys)])
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._listener]))

    async def go(self) -> None:
        if self._listener and self._server and self._serving:
            self._server.should_exit = True
            await self._serving
            self._listener.close()

    async def _keys(self, _: Request) -> Response:
        self.asked += 1
        await self.answers.wait()
        return Response(self.body or json.dumps({"keys": self.published}), self.status)

    def token(
        self,
        scope: str = "finance",
        *,
        key: SigningKey | None = None,
        header: dict[str, Any] | None = None,
        without: str = "",
        **claims: Any,
    ) -> str:
        """A token that is valid for a minute, but for what is said otherwise; `without` leaves a claim out."""
        now = int(time.time())
        usual = {
            "iss": NAME,
            "aud": AUDIENCE,
            "sub": "officer-1",
            "client_id": "portal",
            "scope": scope,
            "nbf": now,
            "exp": now + 60,
        }
        key = key or self.key
        told = {name: value for name, value in {**usual, **claims}.items() if name != without}
        algorithm = key.alg or "ES256"
        return jwt.encode({"alg": algorithm, "kid": key.kid, **(header or {})}, told, key, algorithms=[algorithm])


def public(key: SigningKey) -> dict[str, Any]:
    return dict(key.as_dict(private=False))


def access_of(issuer: Issuer) -> Access:
    """Return what a service that believes this issuer demands tokens with."""
    return Access(Verifier(IssuerKeys(issuer.url, "ES256"), issuer=NAME, audience=AUDIENCE, algorithm="ES256"))


def bearing(issuer: Issuer, scope: str, **claims: Any) -> dict[str, str]:
    """Return the header of whoever has a token that is good for ten minutes."""
    return {"authorization": f"Bearer {issuer.token(scope, exp=int(time.time()) + 600, **claims)}"}
