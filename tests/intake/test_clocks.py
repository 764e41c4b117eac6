"""Deadlines on the real database: a missed one is seen once, a draft lapses, and what has moved on never fires."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prometheus_client import REGISTRY
from sqlalchemy import text

from contracts.common import Text
from contracts.events import (
    ApplicationWaitlisted,
    ClaimPaid,
    ClaimUnpaid,
    ClaimVerified,
    Event,
    ReviewOpened,
)
from contracts.money import Money
from contracts.policy import Clocks, Deadline
from intake.clocks import Deadlines, Subject
from kit.clocks import Scanner
from tests.intake.scenes import (
    USCC,
    Portal,
    approval_of,
    let_pass,
    names_of,
    payable_of,
    publish_policy,
    scan,
    timeline,
    within,
)

CLOCKS = Clocks()
YEAR = timedelta(days=365)


def review(created: dict[str, Any], holder: str) -> ReviewOpened:
    return ReviewOpened(
        occurred_at=datetime.now(UTC),
        application_id=UUID(created["application_id"]),
        scheme=created["scheme"],
        applicant=USCC,
        waiting_for=Text(zh="等待", en=f"Waits for {holder}"),
        holder=holder,
    )


async def test_what_waits_says_until_when(portal: Portal) -> None:
    created = (await portal.apply()).json()
    waiting = created["waiting_for"]

    assert (waiting["who"], within(waiting), waiting["overdue"]) == ("eligibility", CLOCKS.decision.within, False)
    assert (await portal.state(created["application_id"]))["waiting_for"] == waiting


async def test_a_missed_deadline_is_seen_once_in_state_and_timeline(portal: Portal) -> None:
    created = (await portal.apply()).json()
    await let_pass(portal.database)

    assert [await scan(portal.database) for _ in range(3)] == [1, 0, 0]

    state = await portal.state(created["application_id"])
    assert state["status"] == "submitted"
    assert state["waiting_for"]["overdue"]
    assert state["version"] == created["version"] + 1
    assert [line["type"] for line in await timeline(portal, created)] == ["application.submitted", "deadline.missed"]
    missed = (await timeline(portal, created))[1]["data"]
    assert (missed["waited_for"], missed["step"]) == ("decision", "remind")
    assert missed["due"] == state["waiting_for"]["due"]


async def test_nothing_is_due_before_its_time(portal: Portal) -> None:
    await portal.apply()
    assert await scan(portal.database) == 0


async def test_the_next_step_stops_the_clock(portal: Portal) -> None:
    created = (await portal.apply()).json()
    await let_pass(portal.database)
    await portal.hear(approval_of(created))

    assert await scan(portal.database) == 0
    waiting = (await portal.state(created["application_id"]))["waiting_for"]
    assert (waiting["who"], within(waiting), waiting["overdue"]) == ("disbursement", CLOCKS.award.within, False)


async def test_an_award_leaves_nothing_to_wait_for(portal: Portal) -> None:
    created, _ = await portal.awarded()
    await let_pass(portal.database)
    assert await scan(portal.database) == 0
    assert (await portal.state(created["application_id"]))["waiting_for"] is None


async def test_a_draft_lapses_and_nobody_else_is_told(portal: Portal) -> None:
    created = (await portal.apply(submit=False)).json()
    assert within(created["waiting_for"]) == CLOCKS.draft.within
    await let_pass(portal.database)
    assert [await scan(portal.database) for _ in range(2)] == [1, 0]

    state = await portal.state(created["application_id"])
    assert (state["status"], state["waiting_for"]) == ("lapsed", None)
    assert (await timeline(portal, created))[-1]["type"] == "application.lapsed"
    assert await portal.told() == []
    for step in ("submission", "withdrawal"):
        refused = await portal.client.post(f"/v1/applications/{created['application_id']}/{step}")
        assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")


async def test_a_change_of_a_draft_gives_it_its_time_again(portal: Portal) -> None:
    created = (await portal.apply(submit=False)).json()
    await let_pass(portal.database)
    changed = await portal.client.patch(f"/v1/applications/{created['application_id']}", json={"documents": []})

    assert changed.json()["waiting_for"]["due"] > created["waiting_for"]["due"]
    assert await scan(portal.database) == 0


async def test_each_wait_has_the_deadline_of_its_policy(portal: Portal) -> None:
    async with portal.database.transaction() as connection:
        await publish_policy(connection, version="2", clocks=Clocks(decision=Deadline(timedelta(hours=7), "remind")))
    created = (await portal.apply()).json()

    assert (created["policy_version"], within(created["waiting_for"])) == ("2", timedelta(hours=7))


async def test_registers_then_an_officer_hold_the_wait_each_with_a_deadline(portal: Portal) -> None:
    created = (await portal.apply()).json()
    for holder, clock in (("registers", CLOCKS.registers), ("officer", CLOCKS.officer)):
        await portal.hear(review(created, holder))
        waiting = (await portal.state(created["application_id"]))["waiting_for"]
        assert (waiting["who"], waiting["what"]["en"]) == (holder, f"Waits for {holder}")
        assert (within(waiting), waiting["overdue"]) == (clock.within, False)
        await let_pass(portal.database)
        assert await scan(portal.database) == 1
        assert (await portal.state(created["application_id"]))["waiting_for"]["overdue"]


async def test_who_waits_for_money_has_no_deadline_and_is_told_so(portal: Portal) -> None:
    created = (await portal.apply()).json()
    event = ApplicationWaitlisted(
        occurred_at=datetime.now(UTC),
        application_id=UUID(created["application_id"]),
        scheme=created["scheme"],
        applicant=USCC,
        pool="test-pool",
        approved=Money(1),
        short_of="envelope",
    )
    await portal.hear(approval_of(created), event)
    await let_pass(portal.database)

    assert await scan(portal.database) == 0
    waiting = (await portal.state(created["application_id"]))["waiting_for"]
    assert (waiting["due"], waiting["overdue"], waiting["short_of"]) == (None, False, "envelope")
    assert "no deadline" in waiting["what"]["en"]


async def test_a_claim_has_a_deadline_at_every_step(portal: Portal) -> None:
    created, award = await portal.awarded()
    claim = (await portal.claim(award.award_id)).json()
    payable = payable_of(claim, created, 100, 200)
    now, fields = datetime.now(UTC), names_of(payable)
    verified = ClaimVerified(occurred_at=now, **fields, eligible=Money(1), reasons=(), submitted_at=now)
    unpaid = ClaimUnpaid(occurred_at=now, **fields, payment_id=payable.payment_id, reason_code="AC04")
    paid = ClaimPaid(occurred_at=now, **fields, payment_id=payable.payment_id, paid=payable.payable, settled_at=now)
    steps: list[tuple[Event | None, str, Deadline]] = [
        (None, "eligibility", CLOCKS.verification),
        (verified, "disbursement", CLOCKS.instruction),
        (payable, "finance", CLOCKS.payment),
        (unpaid, "finance", CLOCKS.account),
    ]
    for event, who, clock in steps:
        await portal.hear(*([event] if event else []))
        waiting = (await claim_of(portal, created))["waiting_for"]
        assert (waiting["who"], within(waiting), waiting["overdue"]) == (who, clock.within, False)
        await let_pass(portal.database)
        assert await scan(portal.database) == 1
        assert (await claim_of(portal, created))["waiting_for"]["overdue"]
    await portal.hear(paid)

    assert (await claim_of(portal, created))["waiting_for"] is None
    missed = [line for line in await timeline(portal, created) if line["type"] == "deadline.missed"]
    assert [line["data"]["waited_for"] for line in missed] == ["verification", "instruction", "payment", "account"]
    assert {line["claim_id"] for line in missed} == {claim["claim_id"]}


async def claim_of(portal: Portal, created: dict[str, Any]) -> dict[str, Any]:
    claim: dict[str, Any] = (await portal.state(created["application_id"]))["claims"][0]
    return claim


async def test_scanners_at_once_take_each_step_once(portal: Portal) -> None:
    created = [(await portal.apply()).json() for _ in range(20)]
    await let_pass(portal.database)

    taken = await asyncio.gather(*(scan(portal.database) for _ in range(4)))

    assert sum(taken) == 20
    for each in created:
        assert [line["type"] for line in await timeline(portal, each)][1:] == ["deadline.missed"]


async def test_what_moves_on_while_it_is_found_due_does_not_fire(portal: Portal) -> None:
    created = (await portal.apply()).json()
    later = datetime.now(UTC) + YEAR
    async with portal.database.reading() as connection:
        due = await Deadlines().due(connection, later, 10)
    assert due == [Subject(UUID(created["application_id"]), None)]
    await portal.hear(approval_of(created))

    async with portal.database.transaction() as connection:
        missed = await Deadlines().miss(connection, due, datetime.now(UTC) + timedelta(hours=1))
    assert (missed.kinds, missed.said) == ([], [])


async def test_the_longest_overdue_come_first_and_a_batch_is_bounded(portal: Portal) -> None:
    created = [(await portal.apply()).json() for _ in range(3)]
    async with portal.database.reading() as connection:
        due = await Deadlines().due(connection, datetime.now(UTC) + YEAR, 2)
    assert [subject.application_id for subject in due] == [UUID(each["application_id"]) for each in created[:2]]


async def test_what_is_open_and_since_when_it_is_overdue_can_be_counted(portal: Portal) -> None:
    for _ in range(2):
        await portal.apply()
    await portal.apply(submit=False)
    async with portal.database.reading() as connection:
        waiting = await Deadlines().waiting(connection)

    assert {kind: found.open for kind, found in waiting.items()} == {"decision": 2, "draft": 1}
    assert waiting["decision"].earliest_due > datetime.now(UTC)


def sample(name: str, kind: str) -> float:
    return REGISTRY.get_sample_value(name, {"kind": kind}) or 0.0


async def test_a_kind_of_which_none_was_missed_is_counted_from_0_on(portal: Portal) -> None:
    """A counter that begins at 1 was never increased, as Prometheus sees it: the first missed deadline were lost."""
    Scanner(portal.database, Deadlines())
    assert REGISTRY.get_sample_value("drawdown_clocks_missed_total", {"kind": "recovery"}) is not None


async def test_the_loop_counts_what_was_missed_and_what_is_open(portal: Portal) -> None:
    before = sample("drawdown_clocks_missed_total", "decision")
    for _ in range(2):
        await portal.apply()
    await let_pass(portal.database)
    await portal.apply(submit=False)
    stop, woken = asyncio.Event(), asyncio.Event()
    scanner = Scanner(portal.database, Deadlines(), committed=woken.set, look_every_seconds=0.01)
    running = asyncio.create_task(scanner.run(stop))
    await asyncio.wait_for(woken.wait(), 10)
    stop.set()
    await running

    assert sample("drawdown_clocks_missed_total", "decision") == before + 2
    assert [sample("drawdown_clocks_open", kind) for kind in ("decision", "draft", "officer")] == [2, 1, 0]
    assert sample("drawdown_clocks_oldest_overdue_seconds", "decision") >= 1
    assert sample("drawdown_clocks_oldest_overdue_seconds", "draft") == 0


async def test_one_that_fails_holds_up_nobody(portal: Portal) -> None:
    """A row that no code can handle (its policy is gone) is set aside, loudly; the others' steps are taken."""
    broken, sound = [(await portal.apply()).json() for _ in range(2)]
    async with portal.database.transaction() as connection:
        await connection.execute(
            text("UPDATE applications SET policy_version = 'gone' WHERE application_id = :id"),
            {"id": UUID(broken["application_id"])},
        )
    await let_pass(portal.database)
    scanner = Scanner(portal.database, Deadlines())

    assert [await scanner.scan() for _ in range(2)] == [1, 0]
    assert (await portal.state(sound["application_id"]))["waiting_for"]["overdue"]
    assert not (await portal.state(broken["application_id"]))["waiting_for"]["overdue"]
