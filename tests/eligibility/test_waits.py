"""The clock of an assessment: tables of cases, with the time handed in."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from contracts.policy import Clocks
from eligibility import waits
from eligibility.records import Assessment
from tests.eligibility.scenes import NOW, application

CLOCKS = Clocks()
LATER = NOW + timedelta(hours=1)


def assessment(**changes: Any) -> Assessment:
    submitted = application()
    plain = Assessment(
        application_id=submitted.application_id, policy_version="1", submitted=submitted, next_try_at=NOW
    )
    return msgspec.structs.replace(plain, **changes)


@pytest.mark.parametrize(
    ("status", "waits_for", "kind", "within"),
    [
        ("pending", None, "decision", CLOCKS.decision.within),
        ("waiting", "registers", "registers", CLOCKS.registers.within),
        ("waiting", "officer", "officer", CLOCKS.officer.within),
        ("decided", None, None, None),
        ("withdrawn", "registers", None, None),
    ],
)
def test_what_is_open_has_a_deadline(
    status: str, waits_for: str | None, kind: str | None, within: timedelta | None
) -> None:
    one = assessment(status=status, waits_for=waits_for, due_at=NOW, missed_at=NOW)
    waits.begin(one, CLOCKS, NOW)
    assert (waits.kind_of(one), one.due_at, one.missed_at) == (kind, NOW + within if within else None, None)


@pytest.mark.parametrize(
    ("before", "missing", "holder"),
    [
        (None, ["provider"], "registers"),
        (None, [], "officer"),
        ("registers", ["provider"], "registers"),
        ("registers", [], "officer"),
        ("officer", ["provider"], "officer"),
        ("officer", [], "officer"),
    ],
)
def test_an_officer_who_holds_it_keeps_it(before: str | None, missing: list[str], holder: str) -> None:
    assert waits.holder(assessment(waits_for=before), missing) == holder


@pytest.mark.parametrize(
    ("due", "missed", "expected"),
    [(None, None, False), (LATER, None, False), (NOW, None, True), (NOW, NOW, False)],
)
def test_a_deadline_is_missed_once(due: datetime | None, missed: datetime | None, expected: bool) -> None:
    assert waits.is_missed(assessment(due_at=due, missed_at=missed), NOW) is expected
