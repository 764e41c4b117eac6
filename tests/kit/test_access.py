"""A call that demands a scope is for holders of a valid token of the one issuer, and for nobody else."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter
from joserfc.jwk import ECKey, OKPKey, RSAKey
from pydantic_settings import SettingsConfigDict

from kit.access import Access, Principal
from kit.access_keys import KEPT_SECONDS, MAX_AGE_SECONDS, PAUSE_SECONDS, IssuerKeys, KeysAwayError
from kit.access_tokens import LEEWAY_SECONDS, InvalidTokenError, Verifier
from kit.http import create_app
from kit.settings import ServiceSettings, load_settings
from tests.kit.conftest import eventually
from tests.kit.issuer import AUDIENCE, NAME, Issuer, new_key, public

PAY, READ = "/pay", "/read"


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Caller:
    """Calls a service that demands `finance` for PAY, and `finance` or `auditor` for READ."""

    def __init__(self, access: Access) -> None:
        app = create_app(service="test", title="test", description="", trouble={})
        app.include_router(router(access))
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://test"
        )

    async def __call__(
        self, path: str, token: str = "", *, authorization: bytes = b"", language: str = "en"
    ) -> httpx.Response:
        authorization = authorization or (f"Bearer {token}".encode() if token else b"")
        told = {b"authorization": authorization} if authorization else {}
        return await self._client.post(path, headers={b"accept-language": language.encode(), **told})

    async def close(self) -> None:
        await self._client.aclose()


def router(access: Access) -> APIRouter:
    routes = APIRouter()

    @routes.post(PAY)
    async def pay(who: Annotated[Principal, access.principal("finance")]) -> dict[str, Any]:
        return {"subject": who.subject, "scopes": sorted(who.scopes), "client": who.client}

    @routes.post(READ)
    async def read(who: Annotated[Principal, access.principal("finance", "auditor")]) -> str:
        return who.subject

    @routes.post("/open")
    async def anybody() -> str:
        return "come in"

    return routes


def verifier_of(issuer: Issuer, clock: Clock, algorithm: str = "ES256") -> Verifier:
    keys = IssuerKeys(issuer.url, algorithm, clock=clock)
    return Verifier(keys, issuer=NAME, audience=AUDIENCE, algorithm=algorithm)


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    found = Issuer()
    found.come()
    yield found
    found.answers.set()
    await found.go()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def call(issuer: Issuer, clock: Clock) -> AsyncIterator[Caller]:
    caller = Caller(Access(verifier_of(issuer, clock)))
    yield caller
    await caller.close()


def segment(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def refused(answer: httpx.Response, status: int, code: str) -> bool:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    return True


async def test_a_valid_token_tells_who_calls(call: Caller, issuer: Issuer) -> None:
    answer = await call(PAY, issuer.token("finance auditor"))
    assert answer.json() == {"subject": "officer-1", "scopes": ["auditor", "finance"], "client": "portal"}


async def test_a_call_that_demands_nothing_needs_no_token(call: Caller, issuer: Issuer) -> None:
    assert (await call("/open")).status_code == 200
    assert issuer.asked == 0


@pytest.mark.parametrize("authorization", [b"", b"Basic b2ZmaWNlcjp4", b"Bearer"])
async def test_no_token_is_told_what_is_wanted(call: Caller, authorization: bytes) -> None:
    answer = await call(PAY, authorization=authorization)
    assert refused(answer, 401, "token_missing")
    assert answer.headers["www-authenticate"] == 'Bearer realm="drawdown", scope="finance"'
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(("scope", "path"), [("auditor", PAY), ("", PAY), ("", READ), ("finances", READ)])
async def test_a_token_without_the_scope_is_told_which_it_lacks(
    call: Caller, issuer: Issuer, scope: str, path: str
) -> None:
    answer = await call(path, issuer.token(scope))
    assert refused(answer, 403, "scope_missing")
    wanted = {PAY: "finance", READ: "finance auditor"}[path]
    challenge = f'Bearer realm="drawdown", error="insufficient_scope", scope="{wanted}"'
    assert answer.headers["www-authenticate"] == challenge


@pytest.mark.parametrize("scope", ["finance", "auditor", "officer auditor"])
async def test_one_of_several_accepted_scopes_is_enough(call: Caller, issuer: Issuer, scope: str) -> None:
    assert (await call(READ, issuer.token(scope))).status_code == 200


async def test_a_refusal_is_told_in_the_callers_language(call: Caller) -> None:
    answer = await call(PAY, language="zh-CN")
    assert answer.json()["title"] == "需要访问令牌"
    assert answer.json()["detail"].startswith("请在 Authorization 头中携带访问令牌")


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": -LEEWAY_SECONDS - 2}, "It has expired."),
        ({"nbf": LEEWAY_SECONDS + 5}, "It is not valid yet."),
        ({"iat": LEEWAY_SECONDS + 5}, "It was issued in the future."),
        ({"aud": "another-city"}, "It is for another audience."),
        ({"aud": ["another-city"]}, "It is for another audience."),
        ({"iss": "https://id.example.com"}, "It is from another issuer."),
        ({"iss": f"{NAME}/"}, "It is from another issuer."),
        ({"sub": ""}, "Its sub is not valid."),
        ({"exp": "tomorrow"}, "Its exp is not valid."),
        (
            {"scope": ["finance"]},
            "Its claims are not valid: Expected `str`, got `array` - at `$.scope`.",
        ),
    ],
)
async def test_a_token_that_does_not_fit_is_refused(
    call: Caller, issuer: Issuer, claims: dict[str, Any], reason: str
) -> None:
    times = {name: time.time() + value for name, value in claims.items() if isinstance(value, int)}
    answer = await call(PAY, issuer.token(**{**claims, **times}))
    assert refused(answer, 401, "token_invalid")
    assert answer.json()["detail"] == f"{reason} Get a new one."
    assert answer.headers["www-authenticate"] == 'Bearer realm="drawdown", error="invalid_token"'


@pytest.mark.parametrize("claim", ["iss", "aud", "exp", "sub"])
async def test_a_token_that_lacks_a_claim_is_refused(call: Caller, issuer: Issuer, claim: str) -> None:
    answer = await call(PAY, issuer.token(without=claim))
    assert refused(answer, 401, "token_invalid")
    assert answer.json()["detail"] == f"It lacks {claim}. Get a new one."


async def test_clocks_may_differ_a_little(call: Caller, issuer: Issuer) -> None:
    now = int(time.time())
    assert (await call(PAY, issuer.token(nbf=now + LEEWAY_SECONDS - 2))).status_code == 200
    assert (await call(PAY, issuer.token(exp=now - LEEWAY_SECONDS + 3))).status_code == 200


async def test_a_token_for_several_audiences_counts(call: Caller, issuer: Issuer) -> None:
    assert (await call(PAY, issuer.token(aud=["another-city", AUDIENCE]))).status_code == 200


async def test_a_token_expires_though_its_signature_is_remembered(issuer: Issuer, clock: Clock) -> None:
    verifier = verifier_of(issuer, clock)
    token, now = issuer.token(), datetime.now(UTC)
    assert (await verifier.principal(token, now)).subject == "officer-1"
    assert (await verifier.principal(token, now + timedelta(seconds=59))).subject == "officer-1"
    with pytest.raises(InvalidTokenError, match="It has expired"):
        await verifier.principal(token, now + timedelta(seconds=61 + LEEWAY_SECONDS))


async def test_an_unsigned_token_is_refused(call: Caller, issuer: Issuer) -> None:
    _, claims, _ = issuer.token().split(".")
    for name in ("none", "None", "NONE"):
        unsigned = f"{segment({'alg': name, 'typ': 'JWT', 'kid': 'first'})}.{claims}."
        assert refused(await call(PAY, unsigned), 401, "token_invalid")


async def test_the_public_key_is_no_secret_to_sign_with(call: Caller, issuer: Issuer) -> None:
    _, claims, _ = issuer.token().split(".")
    signed = f"{segment({'alg': 'HS256', 'typ': 'JWT', 'kid': 'first'})}.{claims}"
    for secret in (issuer.key.as_pem(private=False), json.dumps(issuer.published[0]).encode()):
        mac = base64.urlsafe_b64encode(hmac.new(secret, signed.encode(), hashlib.sha256).digest()).rstrip(b"=")
        assert refused(await call(PAY, f"{signed}.{mac.decode()}"), 401, "token_invalid")


async def test_another_algorithm_than_the_chosen_one_is_refused(call: Caller, issuer: Issuer) -> None:
    rsa = RSAKey.generate_key(2048, {"kid": "rsa", "alg": "RS256"})
    issuer.published.append(public(rsa))
    answer = await call(PAY, issuer.token(key=rsa))
    assert refused(answer, 401, "token_invalid")
    assert answer.json()["detail"] == "It is not signed with ES256. Get a new one."


async def test_a_key_of_somebody_else_under_the_same_name_is_refused(call: Caller, issuer: Issuer) -> None:
    assert refused(await call(PAY, issuer.token(key=new_key("first"))), 401, "token_invalid")


async def test_changed_claims_are_refused(call: Caller, issuer: Issuer) -> None:
    header, _, signature = issuer.token("auditor").split(".")
    _, claims, _ = issuer.token("finance").split(".")
    assert refused(await call(PAY, f"{header}.{claims}.{signature}"), 401, "token_invalid")


async def test_a_token_brings_no_key_of_its_own(call: Caller, issuer: Issuer) -> None:
    own = new_key("own")
    for header in ({"jwk": public(own)}, {"jku": "http://127.0.0.1:1/keys"}):
        assert refused(await call(PAY, issuer.token(key=own, header=header)), 401, "token_invalid")


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "..",
        "a.b.c",
        "a.b.c.d.e",
        f"{segment([])}.e30.x",
        f"{segment('alg')}.e30.x",
        f"{segment({'alg': 'ES256'})}.e30.x",
        f"{segment({'alg': 'ES256', 'kid': 7})}.e30.x",
        f"{segment({'alg': 'ES256', 'kid': 'first'})}.e30.x",
        f"{segment({'alg': 'ES256', 'kid': 'first'})}.e30.{'A' * 86}",
        f"{segment({'alg': 'ES256', 'kid': 'first'})}.e30",
        f"{segment({'alg': 'ES256', 'kid': 'first', 'crit': 7})}.e30.x",
        f"{segment({'alg': 'ES256', 'kid': 'first', 'crit': ['exp']})}.e30.x",
        f"{segment({'alg': 'ES256', 'kid': 'first', 'b64': 'no'})}.e30.x",
        f"{segment({'alg': 'ES256', 'kid': 'first', 'typ': 7})}.e30.x",
        f"{segment({'alg': 'ES256', 'kid': 'first'})}.{'A' * 20_000}.x",
        "[" * 10_000,
        base64.urlsafe_b64encode(b"[" * 10_000).decode(),
        "é.ü.ß",
    ],
)
async def test_what_is_no_token_is_refused(call: Caller, token: str) -> None:
    answer = await call(PAY, token)
    assert refused(answer, 401, "token_invalid")


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("Ed25519", OKPKey.generate_key("Ed25519", {"kid": "k", "alg": "Ed25519"})),
        ("RS256", RSAKey.generate_key(2048, {"kid": "k", "alg": "RS256"})),
        ("PS256", RSAKey.generate_key(2048, {"kid": "k", "alg": "PS256"})),
    ],
)
async def test_another_algorithm_can_be_chosen(
    issuer: Issuer, clock: Clock, algorithm: str, key: OKPKey | RSAKey
) -> None:
    call = Caller(Access(verifier_of(issuer, clock, algorithm)))
    issuer.published.append(public(key))
    assert (await call(PAY, issuer.token(key=key))).status_code == 200
    assert refused(await call(PAY, issuer.token()), 401, "token_invalid")
    await call.close()


async def test_keys_are_asked_for_once(call: Caller, issuer: Issuer) -> None:
    tokens = [issuer.token(sub=f"officer-{number}") for number in range(20)]
    answers = await asyncio.gather(*(call(PAY, token) for token in tokens))
    assert {answer.status_code for answer in answers} == {200}
    assert issuer.asked == 1


async def test_a_new_key_is_found_when_its_name_comes(call: Caller, issuer: Issuer, clock: Clock) -> None:
    old = issuer.token()
    assert (await call(PAY, old)).status_code == 200
    issuer.key = new_key("second")
    issuer.published.append(public(issuer.key))
    clock.seconds += PAUSE_SECONDS
    assert (await call(PAY, issuer.token())).status_code == 200
    assert (await call(PAY, old)).status_code == 200
    assert issuer.asked == 2


async def test_invented_key_names_make_nobody_ask_the_issuer_each_time(
    call: Caller, issuer: Issuer, clock: Clock
) -> None:
    for number in range(20):
        assert refused(await call(PAY, issuer.token(key=new_key(f"invented-{number}"))), 401, "token_invalid")
    assert issuer.asked == 1
    clock.seconds += PAUSE_SECONDS
    await call(PAY, issuer.token(key=new_key("invented")))
    assert issuer.asked == 2


async def test_a_key_that_was_taken_back_ends_with_the_age_limit(call: Caller, issuer: Issuer, clock: Clock) -> None:
    token = issuer.token()
    assert (await call(PAY, token)).status_code == 200
    issuer.published = [public(new_key("second"))]
    clock.seconds += MAX_AGE_SECONDS - 1
    assert (await call(PAY, token)).status_code == 200
    clock.seconds += 1
    assert refused(await call(PAY, token), 401, "token_invalid")


async def test_known_keys_go_on_for_a_day_while_the_issuer_is_away(call: Caller, issuer: Issuer, clock: Clock) -> None:
    assert (await call(PAY, issuer.token())).status_code == 200
    await issuer.go()
    clock.seconds += MAX_AGE_SECONDS
    assert (await call(PAY, issuer.token())).status_code == 200
    assert refused(await call(PAY, issuer.token(key=new_key("second"))), 503, "issuer_unavailable")
    clock.seconds += KEPT_SECONDS
    assert refused(await call(PAY, issuer.token()), 503, "issuer_unavailable")


async def test_without_keys_a_call_is_told_to_come_back(call: Caller, issuer: Issuer, clock: Clock) -> None:
    await issuer.go()
    for _ in range(2):
        answer = await call(PAY, issuer.token())
        assert refused(answer, 503, "issuer_unavailable")
        assert answer.headers["retry-after"] == f"{PAUSE_SECONDS:.0f}"
    issuer.come()
    clock.seconds += PAUSE_SECONDS
    assert (await call(PAY, issuer.token())).status_code == 200


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, None),
        (302, None),
        (200, "<html>sign in</html>"),
        (200, '{"keys": []}'),
        (200, '{"keys": "none"}'),
        (200, json.dumps({"keys": [public(ECKey.generate_key("P-384", {"kid": "first"}))]})),
        (200, json.dumps({"keys": [public(new_key("first", use="enc"))]})),
        (200, json.dumps({"keys": [{"kty": "oct", "kid": "first", "k": "c2VjcmV0"}]})),
        (200, json.dumps({"keys": [{"kty": "EC", "kid": "first", "crv": "P-256", "x": "AA", "y": "AA"}]})),
    ],
)
async def test_an_answer_without_a_fitting_key_is_none(
    call: Caller, issuer: Issuer, status: int, body: str | None
) -> None:
    issuer.status, issuer.body = status, body
    assert refused(await call(PAY, issuer.token()), 503, "issuer_unavailable")


async def test_an_address_that_is_none_has_no_keys() -> None:
    keys = IssuerKeys("http://id.example.gov.cn:port/keys", "ES256")
    with pytest.raises(KeysAwayError):
        await keys.find("first")


async def test_keys_that_do_not_fit_are_passed_over(call: Caller, issuer: Issuer) -> None:
    strange = [{"kty": "LAMP", "kid": "x"}, {"kty": "EC"}, public(ECKey.generate_key("P-384", {"kid": "p384"}))]
    issuer.published = [*strange, *issuer.published]
    assert (await call(PAY, issuer.token())).status_code == 200


async def test_who_has_a_known_key_does_not_wait_for_an_issuer_that_hangs(
    call: Caller, issuer: Issuer, clock: Clock
) -> None:
    assert (await call(PAY, issuer.token())).status_code == 200
    issuer.answers.clear()
    clock.seconds += MAX_AGE_SECONDS
    asking = asyncio.create_task(call(PAY, issuer.token()))
    await eventually(lambda: issuer.asked == 2)
    assert (await call(PAY, issuer.token())).status_code == 200
    assert not asking.done()
    assert (await asking).status_code == 200, "even who has asked gets on, with the old key"


async def test_without_an_issuer_whoever_demands_a_token_refuses_all(issuer: Issuer) -> None:
    call = Caller(Access())
    assert refused(await call(PAY, issuer.token()), 503, "access_not_configured")
    assert refused(await call(PAY), 503, "access_not_configured")
    assert (await call("/open")).status_code == 200
    await call.close()


def test_the_calls_describe_what_they_demand() -> None:
    app = create_app(service="test", title="test", description="", trouble={})
    app.include_router(router(Access()))
    document = app.openapi()
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert document["paths"][PAY]["post"]["security"] == [{"bearer": ["finance"]}]
    assert document["paths"][READ]["post"]["security"] == [{"bearer": ["finance", "auditor"]}]
    assert not document["paths"]["/open"]["post"].get("security")


async def test_a_token_is_never_logged(call: Caller, issuer: Issuer, capfd: pytest.CaptureFixture[str]) -> None:
    expired = issuer.token(exp=1)
    await call(PAY, expired)
    await call(PAY, issuer.token("auditor"))
    written = "".join(capfd.readouterr())
    assert "access_refused" in written
    assert "scope_missing" in written
    assert not any(part in written for token in (expired, issuer.token()) for part in token.split("."))


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="LOANS_")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in {"DATABASE_URL": "postgresql://a:b@c/d", "KAFKA_BOOTSTRAP": "a:1", "HTTP_PORT": "0"}.items():
        monkeypatch.setenv(f"LOANS_{name}", value)
    return monkeypatch


async def test_the_settings_say_whose_tokens_count(environment: pytest.MonkeyPatch, issuer: Issuer) -> None:
    environment.setenv("LOANS_ACCESS_ISSUER", NAME)
    environment.setenv("LOANS_ACCESS_JWKS_URL", issuer.url)
    call = Caller(Access.of(load_settings(Settings)))
    assert (await call(PAY, issuer.token())).status_code == 200
    await call.close()


async def test_keys_are_looked_for_at_the_issuer_when_no_place_is_set(
    environment: pytest.MonkeyPatch, issuer: Issuer
) -> None:
    root = issuer.url.removesuffix("/keys")
    environment.setenv("LOANS_ACCESS_ISSUER", root)
    call = Caller(Access.of(load_settings(Settings)))
    assert refused(await call(PAY, issuer.token(iss=root)), 503, "issuer_unavailable")
    await call.close()


def test_no_settings_are_no_access(environment: pytest.MonkeyPatch) -> None:
    assert Access.of(load_settings(Settings))._verifier is None


@pytest.mark.parametrize("url", ["id.example.gov.cn", "ftp://id.example.gov.cn", "https://", ""])
def test_what_is_no_url_of_an_issuer_ends_the_start(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    environment.setenv("LOANS_ACCESS_ISSUER", url)
    with pytest.raises(SystemExit) as ended:
        load_settings(Settings)
    assert ended.value.code == 78
    assert "LOANS_ACCESS_ISSUER: value error, must begin with https:// or http://" in capsys.readouterr().err
