"""How often one caller may call: clients by their tokens, strangers by their addresses, and what is never counted."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import time_machine

from kit import meters
from kit.access import Access
from kit.buckets import Buckets
from kit.http import create_app
from kit.limits import Limits
from tests.kit.issuer import Issuer
from tests.kit.test_access import PAY, READ, Clock, router, verifier_of

READS, WRITES, UNKNOWN = 3, 5, 4


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    found = Issuer()
    found.come()
    yield found
    await found.go()


class Portal:
    """Calls a service with small limits, from an address of its choice. Time stands still unless a test moves it."""

    def __init__(self, issuer: Issuer) -> None:
        self.clock = Clock()
        access = Access(verifier_of(issuer, self.clock))
        limits = Limits(
            reads=Buckets(1, READS),
            writes=Buckets(1, WRITES),
            unknown=Buckets(1, UNKNOWN),
            tokens=access,
            clock=self.clock,
        )
        self.app = create_app(service="test", title="Test", description="A test", trouble={}, limits=limits)
        routes = router(access)
        self.app.include_router(routes)

        @self.app.get("/seen")
        async def seen() -> str:
            return "all"

    async def call(
        self, method: str, path: str, token: str = "", *, address: str = "192.0.2.1", **headers: str
    ) -> httpx.Response:
        told = {"accept-language": "en", **headers} | ({"authorization": f"Bearer {token}"} if token else {})
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(address, 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, headers=told)

    async def statuses(self, times: int, method: str, path: str, token: str = "", **more: Any) -> list[int]:
        return [(await self.call(method, path, token, **more)).status_code for _ in range(times)]


@pytest.fixture
def portal(issuer: Issuer) -> Portal:
    return Portal(issuer)


async def test_a_client_that_calls_too_often_is_told_when_to_come_back_in_its_language(
    portal: Portal, issuer: Issuer
) -> None:
    token = issuer.token("finance")
    assert await portal.statuses(WRITES, "POST", PAY, token) == [200] * WRITES
    before = meters.RATE_LIMITED.labels("write")._value.get()
    refused = await portal.call("POST", PAY, token)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.headers["content-type"] == "application/problem+json"
    problem = refused.json()
    assert (problem["code"], problem["title"]) == ("rate_limited", "Too many calls")
    assert "portal calls too often: 1 a second at most" in problem["detail"]
    chinese = (await portal.call("POST", PAY, token, **{"accept-language": "zh-CN"})).json()
    assert (chinese["title"], "每秒最多 1 次" in chinese["detail"]) == ("调用过于频繁", True)
    assert meters.RATE_LIMITED.labels("write")._value.get() == before + 2
    portal.clock.seconds += 1
    assert await portal.statuses(2, "POST", PAY, token) == [200, 429]


async def test_reads_and_writes_other_clients_and_strangers_have_limits_of_their_own(
    portal: Portal, issuer: Issuer
) -> None:
    token, other = issuer.token("finance"), issuer.token("finance", client_id="another")
    assert await portal.statuses(WRITES + 1, "POST", PAY, token) == [200] * WRITES + [429]
    assert await portal.statuses(READS + 1, "GET", "/seen", token) == [200] * READS + [429]
    assert await portal.statuses(1, "POST", PAY, other) == [200]
    assert await portal.statuses(1, "GET", "/seen") == [200]


async def test_all_tokens_of_a_client_share_its_limit_and_who_names_none_is_its_subject(
    portal: Portal, issuer: Issuer
) -> None:
    persons = [issuer.token("finance", sub=f"person-{number}") for number in range(WRITES + 2)]
    assert [(await portal.call("POST", PAY, token)).status_code for token in persons] == [200] * (WRITES + 2)
    assert await portal.statuses(1, "POST", PAY, persons[0]) == [429], "a new token is let in once, and counted"
    alone = [issuer.token("finance", sub=f"person-{number}", without="client_id") for number in range(2)]
    assert await portal.statuses(WRITES + 1, "POST", PAY, alone[0]) == [200] * WRITES + [429]
    assert await portal.statuses(1, "POST", PAY, alone[1]) == [200]


async def test_bad_tokens_cannot_be_tried_without_end_and_disturb_no_good_one(portal: Portal, issuer: Issuer) -> None:
    """The good client behind the same address goes on, because its token was known before."""
    good = issuer.token("finance")
    assert await portal.statuses(1, "POST", PAY, good) == [200]
    bad = [issuer.token("finance", aud=f"other {number}") for number in range(UNKNOWN + 3)]
    tried = [(await portal.call("POST", PAY, token)).status_code for token in bad]
    assert tried == [401] * UNKNOWN + [429] * 3
    assert await portal.statuses(2, "POST", PAY, good) == [200, 200]
    assert (await portal.call("POST", PAY, bad[0], address="192.0.2.2")).status_code == 401
    refused = await portal.call("POST", PAY)
    assert (refused.status_code, "address" in refused.json()["detail"]) == (429, True)


async def test_strangers_are_counted_wherever_they_call_even_with_a_made_up_token(portal: Portal) -> None:
    assert await portal.statuses(UNKNOWN + 1, "GET", "/seen", "made-up") == [200] * UNKNOWN + [429]
    assert await portal.statuses(UNKNOWN + 1, "GET", "/nowhere", address="192.0.2.9") == [404] * UNKNOWN + [429]


async def test_an_expired_token_counts_for_its_address_and_not_for_its_client(portal: Portal, issuer: Issuer) -> None:
    now = datetime.now(UTC)
    with time_machine.travel(now, tick=False):
        token = issuer.token("finance")
        assert await portal.statuses(1, "POST", PAY, token) == [200]
    with time_machine.travel(now + timedelta(minutes=5), tick=False):
        assert await portal.statuses(UNKNOWN + 2, "POST", PAY, token) == [401] * UNKNOWN + [429] * 2
        assert await portal.statuses(2, "POST", PAY, issuer.token("finance"), address="192.0.2.7") == [200, 200]


async def test_a_token_without_the_scope_is_its_clients_all_the_same(portal: Portal, issuer: Issuer) -> None:
    token = issuer.token("auditor")
    assert await portal.statuses(WRITES + 1, "POST", PAY, token) == [403] * WRITES + [429]
    assert await portal.statuses(1, "POST", READ, issuer.token("auditor", client_id="another")) == [200]


async def test_the_addresses_of_one_ipv6_network_are_one_caller(portal: Portal) -> None:
    own = [f"2001:db8:1:2::{number:x}" for number in range(UNKNOWN + 1)]
    assert [(await portal.call("GET", "/seen", address=each)).status_code for each in own] == [200] * UNKNOWN + [429]
    assert (await portal.call("GET", "/seen", address="2001:db8:1:3::1")).status_code == 200
    assert (await portal.call("GET", "/seen", address="::ffff:192.0.2.40")).status_code == 200


async def test_health_and_metrics_are_never_counted(portal: Portal) -> None:
    for path in ("/health/live", "/health/ready", "/metrics"):
        assert await portal.statuses(UNKNOWN + 5, "GET", path) == [200] * (UNKNOWN + 5)
