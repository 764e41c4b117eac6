"""Who may call: OAuth 2.0 bearer tokens (RFC 6750) as a FastAPI dependency.

    @routes.post("/v1/payments/{payment_id}/release")
    async def release(officer: Annotated[Principal, access.principal("finance")]) -> ...

A service that was given no issuer refuses every call that demands a scope.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from contracts.refusal import Refusal
from kit.access_keys import PAUSE_SECONDS, IssuerKeys, KeysAwayError
from kit.access_tokens import InvalidTokenError, Principal, Verifier
from kit.limits import PRINCIPAL
from kit.logging import get_logger
from kit.settings import ServiceSettings

__all__ = ["Access", "Principal"]

log = get_logger(__name__)

_BEARER: Final = HTTPBearer(
    scheme_name="bearer",
    bearerFormat="JWT",
    description="An access token of the configured issuer. One of the scopes that a call names is enough.",
    auto_error=False,
)
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]


class Access:
    """Demands tokens. Without a verifier there is nobody to believe, and every demand is refused."""

    def __init__(self, verifier: Verifier | None = None) -> None:
        self._verifier = verifier

    @classmethod
    def of(cls, settings: ServiceSettings) -> "Access":
        """Return what the settings say; the issuer is not asked before the first token comes."""
        issuer, algorithm = settings.access_issuer, settings.access_algorithm
        if issuer is None:
            return cls()
        url = settings.access_jwks_url or f"{issuer.rstrip('/')}/.well-known/jwks.json"
        keys = IssuerKeys(url, algorithm)
        return cls(Verifier(keys, issuer=issuer, audience=settings.access_audience, algorithm=algorithm))

    def principal(self, *accepted: str) -> Any:
        """Return the dependency of a route that is for holders of one of these scopes; it answers the Principal.

        The route is refused with 401 `token_missing` or `token_invalid`, 403 `scope_missing`, 503
        `issuer_unavailable` or `access_not_configured`.
        """
        assert accepted, "say which scope"

        async def demand(request: Request, credentials: _Credentials) -> Principal:
            try:
                return await self._admit(request, credentials, accepted)
            except Refusal as refusal:
                log.info("access_refused", path=request.url.path, code=refusal.code, reason=refusal.text.en)
                raise

        return Security(demand, scopes=accepted)

    def remembered(self, token: str, now: datetime) -> Principal | None:
        """Return whose token this is if it was found good before, and nobody has to be asked for that."""
        return self._verifier.remembered(token, now) if self._verifier else None

    def at_hand(self, authorization: bytes, accepted: frozenset[str]) -> Principal | None:
        """Return who calls with this header, if its token is known, good, and has one of these scopes; else None.

        For shortcuts: None says that the route is to look, which also says what is wrong.
        """
        kind, _, token = authorization.partition(b" ")
        if kind != b"Bearer" or not token.isascii():
            return None
        principal = self.remembered(token.decode(), datetime.now(UTC))
        return None if principal is None or principal.scopes.isdisjoint(accepted) else principal

    async def _admit(
        self, request: Request, credentials: HTTPAuthorizationCredentials | None, accepted: tuple[str, ...]
    ) -> Principal:
        if self._verifier is None:
            raise _unconfigured()
        if credentials is None:
            raise _missing(accepted)
        try:
            principal = await self._verifier.principal(credentials.credentials, datetime.now(UTC))
        except InvalidTokenError as error:
            raise _invalid(error) from error
        except KeysAwayError as error:
            raise _unavailable() from error
        request.scope[PRINCIPAL] = principal
        if principal.scopes.isdisjoint(accepted):
            raise _insufficient(principal, accepted)
        return principal


def _challenge(**parameters: str) -> dict[str, str]:
    """Return the header with which RFC 6750 (section 3) has a caller told what is wanted."""
    told = ", ".join(f'{name}="{value}"' for name, value in {"realm": "drawdown", **parameters}.items())
    return {"WWW-Authenticate": f"Bearer {told}"}


def _unconfigured() -> Refusal:
    return Refusal(
        "access_not_configured",
        "本服务启动时未配置令牌签发方，任何人均无法执行此操作。请联系运维人员设置 *_ACCESS_ISSUER。",
        "This service was started without an issuer of tokens, so nobody may do this. "
        "Its operator has to set *_ACCESS_ISSUER.",
        status=503,
    )


def _missing(accepted: tuple[str, ...]) -> Refusal:
    return Refusal(
        "token_missing",
        "请在 Authorization 头中携带访问令牌：Bearer <令牌>。",
        "Send an access token in the header: Authorization: Bearer <token>.",
        status=401,
        headers=_challenge(scope=" ".join(accepted)),
    )


def _invalid(error: InvalidTokenError) -> Refusal:
    return Refusal(
        "token_invalid",
        f"{error.reason.zh}请获取新的令牌。",
        f"{error.reason.en} Get a new one.",
        status=401,
        headers=_challenge(error="invalid_token"),
    )


def _unavailable() -> Refusal:
    return Refusal(
        "issuer_unavailable",
        "令牌签发方的公钥暂不可用，请稍后重试。",
        "The issuer's public keys can't be had right now. Come back a little later.",
        status=503,
        headers={"Retry-After": f"{PAUSE_SECONDS:.0f}"},
    )


def _insufficient(principal: Principal, accepted: tuple[str, ...]) -> Refusal:
    return Refusal(
        "scope_missing",
        f"{principal.subject} 的令牌没有所需权限（任一即可）：{'、'.join(accepted)}。",
        f"The token of {principal.subject} lacks a scope that allows this: {' or '.join(accepted)}.",
        status=403,
        headers=_challenge(error="insufficient_scope", scope=" ".join(accepted)),
    )
