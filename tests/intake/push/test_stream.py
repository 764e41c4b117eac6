"""The stream of events tells a client what changed of its own, from where it left off, and says where it can't."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import text

from intake.push.keeping import Keeper
from kit.database import Database
from tests.intake.push.follower import Follower
from tests.intake.scenes import USCC, Portal, payable_of
from tests.kit.conftest import eventually
from tests.kit.issuer import Issuer, bearing


async def test_a_life_is_told_line_by_line_as_it_stands_after_each(
    portal: Portal, url: str, follower: Follower
) -> None:
    following = asyncio.create_task(follower.follow(url, lambda: len(follower.changes) >= 5))
    await _begun(follower)
    created, award = await portal.awarded()
    claimed = (await portal.claim(award.award_id)).json()
    await portal.hear(payable_of(claimed, created, 5_000, 1_000))
    assert await following

    lines = await portal.client.get(f"/v1/applications/{created['application_id']}/timeline")
    assert follower.types == [line["type"] for line in lines.json()["items"]]
    assert follower.types == [
        "application.submitted",
        "application.approved",
        "award.issued",
        "claim.submitted",
        "claim.payable",
    ]
    submitted, approved, issued, claim, payable = [event["data"] for event in follower.changes]
    assert [one["status"] for one in (submitted, approved, issued)] == ["submitted", "approved", "awarded"]
    assert submitted["number"] == created["number"]
    assert submitted["waiting_for"] | {"since": None, "due": None} == {
        "who": "eligibility",
        "kind": "decision",
        "since": None,
        "due": None,
        "overdue": False,
    }
    assert (submitted["award"], issued["award"]) == (None, {"award_id": str(award.award_id), "status": "active"})
    assert (claim["claim"]["status"], claim["claim"]["payment_status"]) == ("submitted", None)
    assert (payable["claim"]["status"], payable["claim"]["payment_status"]) == ("payable", "instructed")
    assert payable["claim"]["waiting_for"]["who"] == "finance"


async def test_nothing_personal_is_told(portal: Portal, url: str, follower: Follower) -> None:
    following = asyncio.create_task(follower.follow(url, lambda: bool(follower.changes)))
    await _begun(follower)
    await portal.apply()
    assert await following
    told = str(follower.changes)
    assert all(private not in told for private in ("测试公司", "6222000011112222", "联系人", "a@example.com"))
    assert USCC in told


async def test_a_client_is_told_of_its_own_and_of_nobody_elses(
    portal: Portal, url: str, issuer: Issuer, follower: Follower
) -> None:
    other = Follower(bearing(issuer, "portal", client_id="another-portal"))
    both = [asyncio.create_task(one.follow(url, lambda: "last" in str(follower.types))) for one in (follower, other)]
    await _begun(follower, other)
    created = (await portal.apply()).json()
    withdrawal = f"/v1/applications/{created['application_id']}/withdrawal"
    assert (await portal.client.post(withdrawal)).status_code == 200
    await eventually(lambda: len(follower.changes) == 2)
    for task in both:
        task.cancel()
    await asyncio.wait(both)
    assert follower.types == ["application.submitted", "application.withdrawn"]
    assert other.changes == []
    async with portal.database.transaction() as connection:
        marker = "INSERT INTO pushes (client, type, data) VALUES ('another-portal', 'a.marker', '{}')"
        await connection.execute(text(marker))
    other.last = "0"
    assert await other.follow(url, lambda: bool(other.changes))
    assert other.types == ["a.marker"], "nor afterwards, from the database"


async def test_whoever_was_cut_off_gets_what_it_missed_once_and_in_order(
    portal: Portal, url: str, follower: Follower
) -> None:
    assert await follower.follow(url, lambda: bool(follower.seen)), "told where it begins, before anything happens"
    assert (follower.seen[0]["event"], follower.changes) == ("stream.position", [])
    for number in range(5):
        await portal.apply()
        assert await follower.follow(url, lambda more=number: len(follower.types) > more)  # type: ignore[misc]
    ids = [int(event["id"]) for event in follower.changes]
    assert ids == sorted(set(ids))
    assert len(ids) == 5


async def test_it_can_be_narrowed_to_an_applicant_or_an_application(
    portal: Portal, url: str, follower: Follower
) -> None:
    await follower.follow(url, lambda: bool(follower.seen))
    start = follower.last
    first = (await portal.apply()).json()
    await portal.apply(**{"applicant.uscc": "91440300192181490G"})
    second = (await portal.apply()).json()
    for query, expected in (
        (f"?applicant={USCC}", [first, second]),
        (f"?application_id={second['application_id']}", [second]),
    ):
        narrow = Follower(follower.headers)
        narrow.last = start
        assert await narrow.follow(url, lambda n=narrow, e=expected: len(n.changes) >= len(e), query)  # type: ignore[misc]
        told = [event["data"]["application_id"] for event in narrow.changes]
        assert told == [one["application_id"] for one in expected]


async def test_what_is_too_old_is_said_and_it_goes_on_with_what_is_kept(
    portal: Portal, url: str, follower: Follower, empty_database: Database
) -> None:
    await follower.follow(url, lambda: bool(follower.seen))
    start = follower.last
    await portal.apply()
    async with empty_database.transaction() as connection:
        await connection.execute(text("UPDATE pushes SET created_at = now() - interval '8 days'"))
    await portal.apply()
    forgotten, _ = await Keeper(empty_database, timedelta(days=7)).forget(datetime.now(UTC))
    assert forgotten == 1
    assert await follower.follow(url, lambda: bool(follower.changes))
    gap = follower.seen[1]
    assert (gap["event"], gap["data"]["reason"], gap["data"]["requested"]) == ("stream.gap", "forgotten", start)
    assert len(follower.changes) == 1

    returned = Follower(follower.headers)
    returned.last = follower.last
    assert await returned.follow(url, lambda: bool(returned.seen))
    assert [event["event"] for event in returned.seen] == ["stream.position"], "nothing of it is missing now"


@pytest.mark.parametrize("never", ["999999999999", "-1", "abc", "9" * 90])
async def test_an_id_that_was_never_given_is_a_gap(url: str, follower: Follower, never: str) -> None:
    follower.last = never
    await follower.follow(url, lambda: len(follower.seen) >= 2)
    assert [event["event"] for event in follower.seen] == ["stream.gap", "stream.position"]
    assert follower.seen[0]["data"]["reason"] == "unknown"


async def test_a_stream_more_than_a_client_may_have_is_refused(url: str, follower: Follower, issuer: Issuer) -> None:
    streams = [Follower(follower.headers) for _ in range(10)]
    open_ones = [asyncio.create_task(one.follow(url, lambda: False)) for one in streams]
    await _begun(*streams)
    async with httpx.AsyncClient(trust_env=False) as client:
        refused = await client.get(f"{url}/v1/events", headers=follower.headers)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams")
    assert int(refused.headers["retry-after"]) > 0
    another = Follower(bearing(issuer, "portal", client_id="another-portal"))
    assert await another.follow(url, lambda: bool(another.seen)), "that is no matter to others"
    open_ones.pop().cancel()
    await asyncio.sleep(0)
    async with asyncio.timeout(5):  # the server has to notice
        while True:
            try:
                assert await follower.follow(url, lambda: bool(follower.seen))
                break
            except AssertionError:
                await asyncio.sleep(0.05)
    for task in open_ones:
        task.cancel()
    await asyncio.wait(open_ones)


async def _begun(*followers: Follower) -> None:
    await eventually(lambda: all(follower.seen for follower in followers))
