"""How often one caller may call: before anything of the call is read, so that a refusal costs next to nothing.

A caller is the client of its token. Whoever comes without a token that is known here is told by its address, so that
nobody tries tokens without end. Whether a token is good is not decided here: the route demands that (``access``). A new
token counts for its address only if it turns out to be bad, and not at all for a client that it does not name.

Each process counts for itself: N processes let through N times as much.
"""

import math
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv6Address
from typing import Any, Final, Protocol

from contracts.common import Text
from contracts.refusal import Refusal
from kit import meters
from kit.access_tokens import Principal
from kit.buckets import Buckets
from kit.door import UNHINDERED
from kit.logging import get_logger
from kit.settings import ServiceSettings

log = get_logger(__name__)

PRINCIPAL: Final = "drawdown.principal"
"""Under this name ``access`` puts whom a token speaks for into the ASGI scope."""

_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_LOGGED_EVERY_SECONDS: Final = 1.0
_ONE_NETWORK_BITS: Final = 64  # what one subscriber of IPv6 is given (RFC 6177): it can call from each of its addresses


class Tokens(Protocol):
    """What knows the tokens that were found to be good."""

    def remembered(self, token: str, now: datetime) -> Principal | None: ...


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose bucket a call is taken from. ``proven`` is false while nobody knows whether its token is good."""

    buckets: Buckets
    kind: str
    name: str
    proven: bool = True


class Limits:
    """Tells a call that comes too often from one that may go on. ``clock`` gives seconds that only rise."""

    def __init__(
        self,
        *,
        reads: Buckets,
        writes: Buckets,
        unknown: Buckets,
        tokens: Tokens,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reads = reads
        self._writes = writes
        self._unknown = unknown
        self._tokens = tokens
        self._clock = clock
        self._told_at = -math.inf

    @classmethod
    def of(cls, settings: ServiceSettings, tokens: Tokens) -> "Limits":
        """Return the limits that the settings say."""

        def buckets(rate: float) -> Buckets:
            return Buckets(rate, max(1, round(rate * settings.limit_burst_seconds)))

        return cls(
            reads=buckets(settings.limit_reads_per_second),
            writes=buckets(settings.limit_writes_per_second),
            unknown=buckets(settings.limit_unknown_per_second),
            tokens=tokens,
        )

    def admit(self, scope: MutableMapping[str, Any], headers: dict[bytes, bytes]) -> Caller | None:
        """Take the call from its caller's bucket and return whose it is; None for what is never counted.

        Raises Refusal `rate_limited`.
        """
        if scope["path"] in UNHINDERED:
            return None
        caller = self._caller(scope, headers.get(b"authorization"))
        now = self._clock()
        wait = (caller.buckets.take if caller.proven else caller.buckets.wait)(caller.name, now)
        if wait:
            self._tell(caller, scope["path"], now)
            raise _refusal(caller, wait)
        return caller

    def settle(self, caller: Caller, scope: MutableMapping[str, Any]) -> None:
        """Count a call whose token was new when it came, now that the route has looked at it."""
        if caller.proven:
            return
        principal: Principal | None = scope.get(PRINCIPAL)
        owner = self._of(principal, scope["method"]) if principal else caller
        owner.buckets.charge(owner.name, self._clock())

    def _tell(self, caller: Caller, path: str, now: float) -> None:
        """Count it, and log one in so many seconds: whoever calls too often must not fill the disk."""
        meters.RATE_LIMITED.labels(caller.kind).inc()
        if now - self._told_at >= _LOGGED_EVERY_SECONDS:
            self._told_at = now
            log.warning("rate_limited", path=path, kind=caller.kind, caller=caller.name)

    def _caller(self, scope: MutableMapping[str, Any], authorization: bytes | None) -> Caller:
        if authorization is None:
            return Caller(self._unknown, "unknown", _address(scope))
        token = authorization.partition(b" ")[2].decode("latin-1")
        principal = self._tokens.remembered(token, datetime.now(UTC))
        if principal is None:
            return Caller(self._unknown, "unknown", _address(scope), proven=False)
        return self._of(principal, scope["method"])

    def _of(self, principal: Principal, method: str) -> Caller:
        kind = "read" if method in _READS else "write"
        return Caller(self._reads if kind == "read" else self._writes, kind, principal.client or principal.subject)


def _address(scope: MutableMapping[str, Any]) -> str:
    """Return where the call comes from; of an IPv6 address the network."""
    host = str((scope.get("client") or ("unknown", 0))[0])
    if ":" not in host:
        return host
    address = IPv6Address(host.partition("%")[0])
    return str(address.ipv4_mapped or address.exploded[: _ONE_NETWORK_BITS // 4 + _ONE_NETWORK_BITS // 16 - 1])


def _refusal(caller: Caller, wait: float) -> Refusal:
    seconds = math.ceil(wait)
    limit = f"{caller.buckets.rate:g}"
    if caller.kind == "unknown":
        text = Text(
            zh=f"该地址未携带有效令牌的调用过于频繁：每秒最多 {limit} 次。请使用有效令牌，或在 {seconds} 秒后重试。",
            en=f"Too many calls without a good token come from this address: {limit} a second at most. "
            f"Use a good token, or come back in {seconds} s.",
        )
    else:
        text = Text(
            zh=f"{caller.name} 的调用过于频繁：每秒最多 {limit} 次。请在 {seconds} 秒后以相同的 Idempotency-Key 重试。",
            en=f"{caller.name} calls too often: {limit} a second at most. Nothing of this call was done; "
            f"come back in {seconds} s with the same Idempotency-Key.",
        )
    return Refusal("rate_limited", text.zh, text.en, status=429, headers={"Retry-After": str(seconds)})
