"""What is waited for, and until when: tables of cases, with the time handed in."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from contracts.policy import Clocks, Deadline
from intake import waits
from intake.records import Application, Claim

NOW = datetime(2026, 6, 1, 4, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
CLOCKS = Clocks()
ID = UUID(int=1)


def application(status: str = "submitted", **changes: Any) -> Application:
    plain = Application(
        application_id=ID,
        number="TV-1",
        scheme="s",
        applicant="a",
        district="d",
        status=status,
        policy_version="1",
        provisional=False,
        body={},
        created_at=NOW,
        updated_at=NOW,
    )
    return msgspec.structs.replace(plain, **changes)


def claim(status: str, payment: str | None = None) -> Claim:
    return Claim(
        claim_id=ID,
        application_id=ID,
        award_id=ID,
        applicant="a",
        status=status,
        body={},
        submitted_at=NOW,
        updated_at=NOW,
        payment={"status": payment} if payment else None,
    )


@pytest.mark.parametrize(
    ("status", "kind", "who", "within"),
    [
        ("draft", "draft", "applicant", CLOCKS.draft.within),
        ("submitted", "decision", "eligibility", CLOCKS.decision.within),
        ("assessing", "registers", "registers", CLOCKS.registers.within),
        ("in_review", "officer", "officer", CLOCKS.officer.within),
        ("public_notice", "public_notice", "eligibility", None),
        ("approved", "award", "disbursement", CLOCKS.award.within),
        ("waitlisted", "money", "disbursement", None),
    ],
)
def test_an_application_that_waits_has_a_deadline(status: str, kind: str, who: str, within: timedelta | None) -> None:
    record = application(status)
    wait = waits.of_application(record)
    assert wait is not None
    waits.follow(record, wait, CLOCKS, NOW)

    assert (wait.who, record.waits_for, record.waits_since) == (who, kind, NOW)
    assert record.due_at == (NOW + within if within else None)


def test_a_call_that_is_not_ranked_yet_is_a_wait_for_the_panel_without_a_clock() -> None:
    record = application("in_review", progress={"review": {"holder": "panel"}})
    wait = waits.of_application(record)
    assert wait is not None
    waits.follow(record, wait, CLOCKS, NOW)
    assert (wait.who, record.waits_for, record.due_at) == ("panel", "panel", None)


@pytest.mark.parametrize("status", ["awarded", "rejected", "withdrawn", "lapsed"])
def test_an_application_at_its_end_waits_for_nothing(status: str) -> None:
    record = application(status, waits_for="decision", waits_since=NOW, due_at=NOW, missed_at=NOW)
    waits.follow(record, waits.of_application(record), CLOCKS, LATER)

    assert (record.waits_for, record.waits_since, record.due_at, record.missed_at) == (None, None, None, None)


@pytest.mark.parametrize(
    ("status", "payment", "kind"),
    [
        ("submitted", None, "verification"),
        ("verifying", None, "instruction"),
        ("payable", "instructed", "payment"),
        ("payable", "returned", "account"),
        ("payable", "held", "release"),
        ("payable", "settled", None),
        ("paid", "settled", None),
        ("rejected", None, None),
        ("withdrawn", None, None),
    ],
)
def test_a_claim_waits_for_one_thing_at_a_time(status: str, payment: str | None, kind: str | None) -> None:
    wait = waits.of_claim(claim(status, payment))
    assert (wait.kind if wait else None) == kind


def test_the_clock_of_the_same_wait_goes_on() -> None:
    record = application()
    for moment in (NOW, LATER):
        waits.follow(record, waits.of_application(record), CLOCKS, moment)
    assert record.due_at == NOW + CLOCKS.decision.within


def test_a_draft_that_was_changed_has_its_whole_time_again() -> None:
    record = application("draft")
    waits.follow(record, waits.of_application(record), CLOCKS, NOW)
    waits.begin_anew(record)
    waits.follow(record, waits.of_application(record), CLOCKS, LATER)
    assert record.due_at == LATER + CLOCKS.draft.within


def test_the_next_wait_begins_with_nothing_missed() -> None:
    record = application("in_review", waits_for="registers", waits_since=NOW, due_at=NOW, missed_at=NOW)
    waits.follow(record, waits.of_application(record), CLOCKS, LATER)
    assert (record.waits_for, record.waits_since, record.missed_at) == ("officer", LATER, None)


def test_the_deadline_is_the_policys() -> None:
    record = application()
    clocks = Clocks(decision=Deadline(timedelta(seconds=3), "remind"))
    waits.follow(record, waits.of_application(record), clocks, NOW)
    assert record.due_at == NOW + timedelta(seconds=3)


@pytest.mark.parametrize(
    ("due", "missed", "expected"),
    [
        (None, None, False),
        (NOW + timedelta(microseconds=1), None, False),
        (NOW, None, True),
        (NOW - timedelta(days=9), None, True),
        (NOW, NOW, False),
    ],
)
def test_a_deadline_is_missed_once_it_has_passed(due: datetime | None, missed: datetime | None, expected: bool) -> None:
    assert waits.is_missed(application(due_at=due, missed_at=missed), NOW) is expected
