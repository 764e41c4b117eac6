"""Deliveries reach their webhook: signed, in order for each application, again until taken, or it is given up."""

import asyncio
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text
from standardwebhooks import Webhook as Verifier

from kit.database import Database
from tests.intake.push.courier import Courier, deliveries, post, shown, subscribe
from tests.intake.push.follower import Follower
from tests.intake.push.receiver import Receiver
from tests.intake.scenes import Portal
from tests.kit.conftest import eventually

DAY = timedelta(days=1)


def soon() -> datetime:
    """A time at which whatever is due now is due."""
    return datetime.now(UTC) + timedelta(seconds=1)


async def test_what_happens_after_it_was_made_is_posted_and_signed(
    portal: Portal, receiver: Receiver, courier: Courier
) -> None:
    await portal.apply()
    webhook = await subscribe(portal, receiver)
    created, _ = await portal.awarded()
    assert await courier.all() == 3
    assert receiver.types == ["application.submitted", "application.approved", "award.issued"]
    assert {call.application_id for call in receiver.taken} == {created["application_id"]}
    assert receiver.taken[0].body["data"]["status"] == "submitted"
    assert receiver.taken[0].headers["content-type"] == "application/json"
    with pytest.raises(Exception, match="No matching signature"):
        Verifier("whsec_" + "A" * 44).verify(receiver.taken[0].raw, receiver.taken[0].headers)
    noted = await deliveries(portal, webhook)
    assert [one["status"] for one in noted] == ["delivered"] * 3
    assert [one["delivery_id"] for one in reversed(noted)] == [call.id for call in receiver.taken]
    assert await courier.all() == 0, "each of them once"


async def test_only_the_types_that_were_asked_for_and_only_the_clients_own(
    portal: Portal, receiver: Receiver, courier: Courier, empty_database: Database
) -> None:
    await subscribe(portal, receiver, events=["award.*", "application.approved"])
    await portal.awarded()
    await portal.awarded()
    async with empty_database.transaction() as connection:
        await connection.execute(
            text("INSERT INTO pushes (client, type, data) VALUES ('another', 'award.issued', '{}')")
        )
    await courier.all()
    assert receiver.types.count("award.issued") == receiver.types.count("application.approved") == 2
    assert len(receiver.taken) == 4


async def test_a_delivery_that_fails_holds_up_its_application_and_no_other(
    portal: Portal, receiver: Receiver, courier: Courier
) -> None:
    webhook = await subscribe(portal, receiver)
    ill, _ = await portal.awarded()
    well, _ = await portal.awarded()
    receiver.answer = lambda call: 500 if call.application_id == ill["application_id"] else 200
    now = soon()
    await courier.all(now)
    assert {call.application_id for call in receiver.taken} == {well["application_id"]}
    assert len(receiver.taken) == 3
    assert len(receiver.calls) == 4, "the first of the ill one's, once"
    [first] = [one for one in await deliveries(portal, webhook, "?status=pending") if one["attempts"]]
    assert (first["type"], first["last_status"]) == ("application.submitted", 500)

    receiver.answer = lambda _: 200
    assert await courier.all(now + timedelta(seconds=2)) == 0, "it is not due"
    await courier.all(now + timedelta(seconds=6))
    told = [call for call in receiver.taken if call.application_id == ill["application_id"]]
    assert [call.type for call in told] == ["application.submitted", "application.approved", "award.issued"]
    assert told[0].id in [call.id for call in receiver.calls[:4]], "the same call, again"


async def test_after_a_day_of_failures_it_is_given_up_with_notice_and_goes_on_when_it_is_enabled_again(
    portal: Portal, receiver: Receiver, courier: Courier, url: str, follower: Follower
) -> None:
    webhook = await subscribe(portal, receiver)
    receiver.secret = None  # it goes by the real clock, and these calls are dated tomorrow
    await follower.follow(url, lambda: bool(follower.seen))
    created = (await portal.apply()).json()
    receiver.answer = lambda _: 503
    counted = REGISTRY.get_sample_value("drawdown_webhooks_disabled_total", {"reason": "failing"}) or 0.0
    began = now = soon()
    pauses = []
    while (await shown(portal, webhook))["status"] == "enabled":
        assert await courier.round(now) == 1
        [waiting] = await deliveries(portal, webhook)
        due = datetime.fromisoformat(waiting["next_try_at"])
        pauses.append(due - now)
        assert now - began < 2 * DAY
        now = max(due, now + timedelta(seconds=1))
    assert DAY <= now - began <= DAY + timedelta(hours=2)
    assert 25 <= len(receiver.calls) <= 60
    assert len({call.id for call in receiver.calls}) == 1, "the same id each time"
    assert timedelta(seconds=2.5) <= pauses[0] <= timedelta(seconds=5)
    assert max(pauses) <= timedelta(hours=1)

    given_up = await shown(portal, webhook)
    assert (given_up["status"], given_up["disabled_because"]) == ("disabled", "failing")
    assert await follower.follow(url, lambda: "webhook.disabled" in follower.types)
    assert follower.changes[-1]["data"]["webhook_id"] == webhook["webhook_id"]
    assert REGISTRY.get_sample_value("drawdown_webhooks_disabled_total", {"reason": "failing"}) == counted + 1
    withdrawn = await portal.client.post(f"/v1/applications/{created['application_id']}/withdrawal")
    assert withdrawn.status_code == 200
    assert await courier.round(now + DAY) == 0, "it is called no more"

    receiver.answer = lambda _: 200
    enabled = await portal.client.patch(f"/v1/webhooks/{webhook['webhook_id']}", json={"enabled": True})
    assert enabled.json()["status"] == "enabled"
    await courier.all()
    assert sorted(receiver.types) == ["application.submitted", "application.withdrawn", "webhook.disabled"]
    told = [call.type for call in receiver.taken if call.application_id == created["application_id"]]
    assert told == ["application.submitted", "application.withdrawn"]


async def test_what_was_missed_may_be_let_go(portal: Portal, receiver: Receiver, courier: Courier) -> None:
    webhook = await subscribe(portal, receiver)
    receiver.answer = lambda _: 410
    await portal.apply()
    await courier.all()
    assert (await shown(portal, webhook))["disabled_because"] == "gone"
    assert len(receiver.calls) == 1
    await portal.apply()
    receiver.answer = lambda _: 200
    body = {"enabled": True, "skip_missed": True}
    assert (await portal.client.patch(f"/v1/webhooks/{webhook['webhook_id']}", json=body)).status_code == 200
    assert await courier.all() == 0
    await portal.apply()
    assert await courier.all() == 1


async def test_a_webhook_that_asks_for_time_gets_it(portal: Portal, receiver: Receiver, courier: Courier) -> None:
    await subscribe(portal, receiver)
    await portal.apply()
    await portal.apply()
    receiver.answer = lambda _: (429, {"retry-after": "120"})
    now = soon()
    await courier.round(now)
    receiver.answer = lambda _: 200
    before = len(receiver.calls)
    await portal.apply()
    assert await courier.all(now + timedelta(seconds=119)) == 0, "nothing at all is sent before"
    assert len(receiver.calls) == before
    await courier.all(now + timedelta(seconds=121))
    assert len(receiver.taken) == 3


@pytest.mark.parametrize("answer", [(302, {"location": "http://127.0.0.1:1/"}), 400, 404, 500])
async def test_any_other_answer_is_a_failure_and_no_redirect_is_followed(
    portal: Portal, receiver: Receiver, courier: Courier, answer: Any
) -> None:
    webhook = await subscribe(portal, receiver)
    await portal.apply()
    receiver.answer = lambda _: answer
    assert await courier.all() == 1
    [noted] = await deliveries(portal, webhook)
    assert noted["status"] == "pending"
    assert noted["last_status"] == (answer[0] if isinstance(answer, tuple) else answer)


async def test_who_does_not_answer_is_not_waited_for(
    portal: Portal, receiver: Receiver, empty_database: Database
) -> None:
    courier = Courier(empty_database, call_seconds=0.3)
    webhook = await subscribe(portal, receiver)
    await portal.apply()
    receiver.hold.clear()
    assert await courier.all() == 1
    [noted] = await deliveries(portal, webhook)
    assert (noted["status"], noted["last_error"]) == ("pending", "timeout")
    await courier.close()


async def test_two_processes_post_each_delivery_once_and_each_application_in_order(
    portal: Portal, receiver: Receiver, empty_database: Database
) -> None:
    webhook = await subscribe(portal, receiver)
    couriers = [Courier(empty_database), Courier(empty_database)]
    for _ in range(6):
        created = (await portal.apply()).json()
        await portal.client.post(f"/v1/applications/{created['application_id']}/withdrawal")

    async def work(courier: Courier) -> None:
        while len(receiver.taken) < 12:
            await courier.round()

    async with asyncio.timeout(20):
        await asyncio.gather(*map(work, couriers))
    assert len({call.id for call in receiver.calls}) == len(receiver.calls) == 12
    by_application: dict[str, list[int]] = defaultdict(list)
    for call in receiver.taken:
        by_application[call.application_id].append(call.position)
    assert all(positions == sorted(positions) for positions in by_application.values())
    assert receiver.most_inside <= 8
    assert {one["status"] for one in await deliveries(portal, webhook)} == {"delivered"}
    for courier in couriers:
        await courier.close()


async def test_what_a_process_was_killed_at_is_posted_again_when_its_lease_has_run_out(
    portal: Portal, receiver: Receiver, courier: Courier, empty_database: Database
) -> None:
    await subscribe(portal, receiver)
    await portal.apply()
    while not await courier.addressing.round():
        pass
    now = soon()
    receiver.hold.clear()
    [call] = await courier.sender.begin(now)
    await eventually(lambda: bool(receiver.calls))
    call.cancel()  # as far as the database can tell, the process is gone
    await asyncio.wait({call})
    receiver.hold.set()
    other = Courier(empty_database)
    assert await other.round(now + timedelta(seconds=11)) == 0, "somebody may still be at it"
    assert await other.round(now + timedelta(seconds=13)) == 1
    assert receiver.calls[0].id == receiver.calls[-1].id
    await other.close()


async def test_a_delivery_can_be_sent_again(portal: Portal, receiver: Receiver, courier: Courier) -> None:
    webhook = await subscribe(portal, receiver)
    await portal.apply()
    await courier.all()
    [noted] = await deliveries(portal, webhook)
    path = f"/v1/webhooks/{webhook['webhook_id']}/deliveries/{noted['delivery_id']}/redelivery"
    again = await post(portal, path)
    assert (again.status_code, again.json()["status"]) == (202, "pending")
    await courier.all()
    assert [call.id for call in receiver.taken] == [noted["delivery_id"]] * 2
    assert receiver.taken[0].raw == receiver.taken[1].raw


async def test_a_test_event_reaches_it(portal: Portal, receiver: Receiver, courier: Courier) -> None:
    webhook = await subscribe(portal, receiver)
    assert (await post(portal, f"/v1/webhooks/{webhook['webhook_id']}/test")).status_code == 202
    await courier.all()
    assert receiver.types == ["webhook.test"]


async def test_both_secrets_sign_for_a_day_after_a_rotation(
    portal: Portal, receiver: Receiver, courier: Courier
) -> None:
    webhook = await subscribe(portal, receiver)
    answer = await portal.client.patch(f"/v1/webhooks/{webhook['webhook_id']}", json={"rotate_secret": True})
    new = answer.json()["secret"]
    assert new != webhook["secret"]
    await portal.apply()
    await courier.all()
    [call] = receiver.taken
    for secret in (webhook["secret"], new):
        Verifier(secret).verify(call.raw, call.headers)
    receiver.secret = None  # it goes by the real clock, and the next call is dated tomorrow
    await portal.apply()
    await courier.all(datetime.now(UTC) + DAY + timedelta(minutes=1))
    assert [len(call.headers["webhook-signature"].split(" ")) for call in receiver.taken] == [2, 1]


async def test_a_private_address_is_refused_at_each_delivery(
    portal: Portal, receiver: Receiver, empty_database: Database
) -> None:
    """It was allowed when the webhook was made; the name may have come to mean something else since."""
    strict = Courier(empty_database, allowed="192.0.2.0/24")
    webhook = await subscribe(portal, receiver)
    await portal.apply()
    assert await strict.all() == 1
    assert receiver.calls == []
    [noted] = await deliveries(portal, webhook)
    assert noted["last_error"] == "address_refused"
    await strict.close()
