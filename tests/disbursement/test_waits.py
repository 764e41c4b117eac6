"""The clock of a payment: tables of cases, with the time handed in."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from contracts.policy import Clocks, Deadline
from disbursement import waits
from disbursement.records import Payment
from tests.disbursement.scenes import NOW

CLOCKS = Clocks()
HOUR = timedelta(hours=1)
ID = UUID(int=1)


def payment(status: str = "instructed", **changes: Any) -> Payment:
    plain = Payment(
        payment_id=ID,
        claim_id=ID,
        award_id=ID,
        application_id=ID,
        applicant="a",
        scheme="s",
        pool="p",
        amount=1,
        end_to_end_id="e",
        status=status,
        creditor={},
        instructed_at=NOW,
    )
    return msgspec.structs.replace(plain, **changes)


@pytest.mark.parametrize(
    ("status", "kind", "within"),
    [
        ("instructed", "payment", CLOCKS.payment.within),
        ("returned", "account", CLOCKS.account.within),
        ("settled", None, None),
        ("cancelled", None, None),
    ],
)
def test_each_status_has_its_clock_or_none(status: str, kind: str | None, within: timedelta | None) -> None:
    one = payment(status, due_at=NOW, next_step_at=NOW, missed_at=NOW)
    waits.begin(one, CLOCKS, NOW)

    due = NOW + within if within else None
    assert (waits.kind_of(one), one.due_at, one.next_step_at, one.missed_at) == (kind, due, due, None)


@pytest.mark.parametrize(
    ("next_step_at", "expected"), [(None, False), (NOW + HOUR, False), (NOW, True), (NOW - HOUR, True)]
)
def test_a_step_is_due_when_its_time_has_come(next_step_at: datetime | None, expected: bool) -> None:
    assert waits.is_due(payment(next_step_at=next_step_at), NOW) is expected


def test_a_question_is_followed_by_the_next_and_the_deadline_stays() -> None:
    one, deadline = payment(due_at=NOW, next_step_at=NOW), Deadline(HOUR, "ask_finance")

    assert [waits.miss(one, deadline, NOW + number * HOUR) for number in range(3)] == [True, True, True]
    assert (one.due_at, one.missed_at, one.questions, one.next_step_at) == (NOW, NOW, 3, NOW + 3 * HOUR)


def test_a_reminder_is_one() -> None:
    one = payment(due_at=NOW, next_step_at=NOW)

    assert not waits.miss(one, Deadline(HOUR, "remind"), NOW)
    assert (one.due_at, one.missed_at, one.questions, one.next_step_at) == (NOW, NOW, 0, None)
