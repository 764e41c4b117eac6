"""An issuer's public keys by their `kid`: asked for when first needed, when they are old, and when a new one is named.

While the issuer is away the known keys go on, for a day and no longer: by then a key may have been taken back. Whoever
sends tokens with invented key names makes us ask no more often than the pause allows.
"""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import httpx
import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key
from joserfc.jws import JWSRegistry

from kit.database import describe
from kit.deadlines import within
from kit.logging import get_logger

log = get_logger(__name__)

MAX_AGE_SECONDS: Final = 600.0
PAUSE_SECONDS: Final = 5.0
KEPT_SECONDS: Final = 24 * 3600.0
_ANSWER_SECONDS: Final = 2.0

PublicKey: TypeAlias = ECKey | OKPKey | RSAKey


class KeysAwayError(Exception):
    """Whether the issuer has this key can't be known now."""


class _KeySet(msgspec.Struct):
    keys: list[dict[str, Any]]


class IssuerKeys:
    """The keys at one JWKS URL that fit one algorithm. ``clock`` gives seconds that only rise."""

    def __init__(self, url: str, algorithm: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._algorithm = algorithm
        self._clock = clock
        self._tls = httpx.create_ssl_context()  # takes 50 ms: once, not within a call
        self._asking = asyncio.Lock()
        self._asked_at = self._answered_at = -math.inf
        self._answered = False
        self._keys: dict[str, PublicKey] = {}

    async def find(self, kid: str) -> PublicKey | None:
        """Return the key of this name, None when the issuer has none. Raises KeysAwayError."""
        if self._has_to_ask(kid) and not (kid in self._keys and self._asking.locked()):
            async with self._asking:
                if self._has_to_ask(kid):  # nobody else did while we waited
                    await self._ask()
        key = self._keys.get(kid)
        if self._clock() - self._answered_at > KEPT_SECONDS or not (key or self._answered):
            raise KeysAwayError(self._url)
        return key

    def at_hand(self, kid: str) -> PublicKey | None:
        """Return what ``find`` would, where nobody has to be asked for that; else None."""
        if self._has_to_ask(kid) or self._clock() - self._answered_at > KEPT_SECONDS:
            return None
        return self._keys.get(kid)

    def _has_to_ask(self, kid: str) -> bool:
        now = self._clock()
        wanted = kid not in self._keys or now - self._answered_at >= MAX_AGE_SECONDS
        return wanted and now - self._asked_at >= PAUSE_SECONDS

    async def _ask(self) -> None:
        self._answered = False
        try:
            self._keys = await within(_ANSWER_SECONDS, self._fetch(), "asking for the issuer's keys")
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError) as error:  # msgspec's are ValueErrors
            log.warning("issuer_keys_away", url=self._url, error_class=type(error).__name__, reason=describe(error))
        else:
            self._answered_at = self._clock()
            self._answered = True
        finally:
            self._asked_at = self._clock()

    async def _fetch(self) -> dict[str, PublicKey]:
        async with httpx.AsyncClient(verify=self._tls, trust_env=False) as client:
            answer = await client.get(self._url)
        answer.raise_for_status()
        found = {}
        for entry in msgspec.json.decode(answer.content, type=_KeySet).keys:
            if key := _usable(entry, self._algorithm):
                found[entry["kid"]] = key
        if not found:
            raise ValueError(f"no key for {self._algorithm} among them")
        return found


def _usable(entry: dict[str, Any], algorithm: str) -> PublicKey | None:
    """Return the key if it has a name and is for this algorithm; an issuer may publish others beside it."""
    model = JWSRegistry.algorithms[algorithm]
    if not isinstance(entry.get("kid"), str) or entry.get("kty") != model.key_type:
        return None
    try:
        key = import_key(entry)
        model.check_key(key)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return key if isinstance(key, PublicKey) else None
