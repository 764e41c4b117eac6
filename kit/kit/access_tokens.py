"""Access tokens: JWTs of one issuer, for one audience, signed with one algorithm (RFC 9068, RFC 8725).

The algorithm is the operator's choice and never the token's. A signature costs some hundred microseconds, and a portal
sends one token with thousands of calls: a token whose signature was right is remembered for as long as its key object
is in use, which ends each time the keys are fetched again. Its times are checked at every call. Of one that was found
good, these times and the key are all that is looked at, until it has run out.
"""

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
from joserfc import jwt
from joserfc.errors import ClaimError, ExpiredTokenError, JoseError, MissingClaimError
from joserfc.jws import JWSRegistry

from contracts.common import Text
from kit.access_keys import IssuerKeys, PublicKey

LEEWAY_SECONDS: Final = 10  # what two clocks may differ by
_LONGEST: Final = 16 * 1024
_MOST_REMEMBERED: Final = 4000  # about 10 MB

_UNREADABLE: Final = Text(zh="无法识别该令牌。", en="It is no token that is known here.")
_WRONG_CLAIMS: Final = {
    "iss": Text(zh="令牌由其他签发方签发。", en="It is from another issuer."),
    "aud": Text(zh="令牌不适用于本系统。", en="It is for another audience."),
    "nbf": Text(zh="令牌尚未生效。", en="It is not valid yet."),
    "iat": Text(zh="令牌签发时间在将来。", en="It was issued in the future."),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: ``subject`` is the person or machine, ``client`` the program through which it calls ("" if untold)."""

    subject: str
    scopes: frozenset[str]
    client: str


class InvalidTokenError(Exception):
    """The token does not count; ``reason`` says why to whoever sent it, and never what is in it."""

    def __init__(self, reason: Text) -> None:
        super().__init__(reason.en)
        self.reason = reason


class _Header(msgspec.Struct):
    alg: str
    kid: str
    crit: list[str] = []


class _Claims(msgspec.Struct):
    sub: str
    scope: str = ""
    client_id: str = ""


class _Remembered(msgspec.Struct):
    """A token whose signature was right; once it was found good, whom it speaks for, and from when to when (POSIX)."""

    key: PublicKey
    kid: str
    claims: dict[str, Any]
    principal: Principal | None = None
    begins: float = 0.0
    ends: float = 0.0


class Verifier:
    """Tells who a token speaks for."""

    def __init__(self, keys: IssuerKeys, *, issuer: str, audience: str, algorithm: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._algorithm = algorithm
        self._registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
        self._remembered: dict[str, _Remembered] = {}

    def remembered(self, token: str, now: datetime) -> Principal | None:
        """Return what ``principal`` would of a token that was found good before, without asking anybody; else None."""
        known = self._remembered.get(token)
        if known is None or not known.begins <= now.timestamp() < known.ends:
            return None
        return known.principal if self._keys.at_hand(known.kid) is known.key else None

    async def principal(self, token: str, now: datetime) -> Principal:
        """Return whom the token speaks for. Raises InvalidTokenError, KeysAwayError."""
        if known := self.remembered(token, now):
            return known
        try:
            signed = await self._signed(token)
            self._check(signed.claims, now)
            told = msgspec.convert(signed.claims, _Claims)
        except (JoseError, msgspec.ValidationError) as error:
            raise InvalidTokenError(_why(error)) from error
        signed.principal = Principal(told.sub, frozenset(told.scope.split()), told.client_id)
        signed.begins = max(signed.claims.get("nbf", 0), signed.claims.get("iat", 0))
        signed.ends = signed.claims["exp"]
        return signed.principal

    async def _signed(self, token: str) -> _Remembered:
        kid = _key_name(token, self._algorithm)
        key = await self._keys.find(kid)
        if key is None:
            raise InvalidTokenError(Text(zh="令牌的签名密钥未知。", en="Its issuer has no key of that name."))
        known = self._remembered.get(token)
        if known and known.key is key:
            return known
        claims = jwt.decode(token, key, registry=self._registry).claims
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()
        signed = self._remembered[token] = _Remembered(key, kid, claims)
        return signed

    def _check(self, claims: dict[str, Any], now: datetime) -> None:
        registry = jwt.JWTClaimsRegistry(
            now=int(now.timestamp()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._audience},
            exp={"essential": True},
            sub={"essential": True},
        )
        registry.validate(claims)


def _key_name(token: str, algorithm: str) -> str:
    """Return the `kid` that the token's header names; nothing in it is to be believed yet."""
    if len(token) > _LONGEST:
        raise InvalidTokenError(_UNREADABLE)
    try:
        segment = token.partition(".")[0]
        header = msgspec.json.decode(base64.urlsafe_b64decode(segment + "=="), type=_Header)
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise InvalidTokenError(_UNREADABLE) from error
    if header.alg != algorithm:
        raise InvalidTokenError(Text(zh=f"令牌必须以 {algorithm} 签名。", en=f"It is not signed with {algorithm}."))
    return header.kid


def _why(error: Exception) -> Text:
    match error:
        case ExpiredTokenError():
            return Text(zh="令牌已过期。", en="It has expired.")
        case MissingClaimError():
            return Text(zh=f"令牌缺少 {error.claim}。", en=f"It lacks {error.claim}.")
        case ClaimError() if error.claim in _WRONG_CLAIMS:
            return _WRONG_CLAIMS[error.claim]
        case ClaimError():
            return Text(zh=f"令牌中的 {error.claim} 有误。", en=f"Its {error.claim} is not valid.")
        case msgspec.ValidationError():
            return Text(zh=f"令牌内容有误：{error}。", en=f"Its claims are not valid: {error}.")
        case _:
            return _UNREADABLE
