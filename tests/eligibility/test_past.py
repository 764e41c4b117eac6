"""Past decisions, run again: as they were, all the same; under a draft, with what it would have cost."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from contracts.events import ApplicationSubmitted
from contracts.money import Money
from contracts.policy import Tier
from eligibility import past
from eligibility.expressions import compile_policy
from eligibility.records import Assessment
from eligibility.shelf import Shelf
from eligibility.whatif import Limits, WhatIf
from kit.database import Database
from tests.eligibility.office import Office
from tests.eligibility.persons import Persons, process
from tests.eligibility.registers import FakeRegisters
from tests.eligibility.scenes import FACTS, FEN, NOW, POLICIES, POLICY, application, company, rulebook
from tests.eligibility.test_tiers import TIERS

COMPANIES = 1_000


def code(number: int) -> str:
    return f"91440300MA5{number:06d}X"[:17] + "0"


async def season(office: Office, registers: FakeRegisters) -> list[ApplicationSubmitted]:
    """A thousand companies of every kind, each decided by the assessor on what the registers say."""
    asked = []
    for number in range(COMPANIES):
        uscc = code(number)
        one = application(uscc, yuan=20_000 + 997 * number, submitted_at=NOW + timedelta(minutes=number))
        asked.append(msgspec.structs.replace(one, company=company(uscc, headcount=number % 400)))
        if number % 7 == 0:
            registers.answer("credit_record", {"blacklisted": True}, code=uscc)
        if number % 11 == 0:
            registers.answer("business_registration", {"status": "dissolved"}, code=uscc)
        group = sorted({uscc, code(number - number % 5)})
        registers.answer("related_companies", {"group": group[0], "members": group}, code=uscc)
    for at in range(0, COMPANIES, 250):
        await office.submit(*asked[at : at + 250])
    await office.until_settled()
    return asked


@pytest.fixture
async def persons(database: Database) -> AsyncIterator[Persons]:
    async with process(database) as persons:
        yield persons


async def test_a_thousand_decisions_come_out_the_same_and_a_changed_one_is_found(
    office: Office, database: Database, registers: FakeRegisters, persons: Persons
) -> None:
    asked = await season(office, registers)
    lines = [json.loads(line) async for line in past.replays(database, Shelf(), None, past.BEGINNING)]
    assert lines == [{"decisions": COMPANIES, "identical": COMPANIES}]

    changed = asked[500].application_id
    async with database.transaction() as connection:
        await connection.execute(
            text("UPDATE assessments SET approved = CAST(:money AS jsonb) WHERE application_id = :id"),
            {"money": '{"amount": 7, "currency": "CNY"}', "id": changed},
        )
    answer = await persons.post("/v1/policies/simulations", "x: 1", scope="officer")
    assert answer.status_code == 403
    lines = [json.loads(line) async for line in past.replays(database, Shelf(), POLICY.scheme, past.BEGINNING)]
    assert lines[-1] == {"decisions": COMPANIES, "identical": COMPANIES - 1}
    assert lines[0]["application_id"] == str(changed)
    assert lines[0]["was"] == {"approved": {"amount": 7, "currency": "CNY"}}

    draft = (POLICIES / "compute-voucher-2027.yaml").read_text()
    found = (await persons.post("/v1/policies/simulations?since=2026-06-01", draft, scope="policy-editor")).json()
    assert found["applications"] == COMPANIES
    assert found["unknown"] == {}
    assert found["losers"] == len([one for one in found["changes"] if one["draft"] < one["past"]]) > 0
    assert found["total"]["past"]["supported"] > found["total"]["draft"]["supported"]
    for by in ("by_month", "by_district", "by_size"):
        assert sum(pair["draft"]["amount"] for pair in found[by].values()) == found["total"]["draft"]["amount"]


def decided(number: int, *, yuan: int = 100_000, facts: Any = None, **changes: Any) -> Assessment:
    submitted = application(code(number), yuan=yuan, submitted_at=NOW + timedelta(days=number))
    plain: dict[str, Any] = {
        "application_id": submitted.application_id,
        "policy_version": POLICY.version,
        "submitted": submitted,
        "status": "decided",
        "facts": FACTS if facts is None else facts,
        "outcome": "approved",
        "approved": Money(yuan * FEN * 60 // 100),
        "cap_holder": code(number),
        "decided_at": NOW,
        "next_try_at": NOW,
    }
    return Assessment(**plain | changes)


def compare(*assessments: Assessment, **draft: Any) -> dict[str, Any]:
    comparison = WhatIf(rulebook(**draft))
    for one in assessments:
        comparison.feed(one, POLICY)
    return dict(msgspec.to_builtins(comparison.result(), str_keys=True))


def test_another_rate_changes_every_sum() -> None:
    found = compare(decided(1), decided(2), rate=5000)
    assert (found["winners"], found["losers"]) == (0, 2)
    assert found["total"]["past"]["amount"] == 2 * 60_000 * FEN
    assert found["total"]["draft"]["amount"] == 2 * 50_000 * FEN


def test_tiers_decide_who_wins() -> None:
    higher: tuple[Tier, ...] = (msgspec.structs.replace(TIERS[1], rate=9000, most=None),)
    assert compare(decided(1), tiers=higher)["winners"] == 1


def test_a_fact_that_was_not_asked_for_is_told_and_never_guessed() -> None:
    facts = {name: fact for name, fact in FACTS.items() if name != "credit_record"}
    found = compare(decided(1, facts=facts), rate=5000)
    assert found["unknown"] == {"credit-record": 1}
    assert found["changes"] == []
    assert found["total"]["draft"] == found["total"]["past"]


def test_what_can_not_be_told_uses_up_the_envelope_all_the_same() -> None:
    facts = {name: fact for name, fact in FACTS.items() if name != "credit_record"}
    found = compare(decided(1, facts=facts), decided(2), envelope=Money(60_000 * FEN))
    assert found["total"]["draft"] == {"supported": 1, "amount": 60_000 * FEN}


def test_a_cap_is_shared_by_the_group_and_an_envelope_ends() -> None:
    both = [decided(number, yuan=1_000_000, cap_holder="group") for number in (1, 2)]
    capped = compare(*both, cap=Money(700_000 * FEN))
    assert capped["total"]["draft"]["amount"] == 700_000 * FEN
    ended = compare(*(decided(number) for number in range(5)), envelope=Money(130_000 * FEN))
    assert ended["total"]["draft"] == {"supported": 2, "amount": 120_000 * FEN}
    assert ended["envelope_exhausted_on"]["draft"] == {"2026": "2026-06-03"}


def test_the_pool_is_shared_with_what_came_before_and_with_other_schemes() -> None:
    comparison = WhatIf(rulebook(rate=5000), appropriated=170_000 * FEN)
    elsewhere = msgspec.structs.replace(POLICY, pool="another-pool")
    comparison.beside(decided(1), elsewhere)
    comparison.beside(decided(2), msgspec.structs.replace(POLICY, scheme="another"))
    for number in (3, 4):
        comparison.feed(decided(number), POLICY)
    found = msgspec.to_builtins(comparison.result(), str_keys=True)
    assert found["pool_exhausted_on"] == {"past": "2026-06-05", "draft": None}  # 60 + 60 + 60, and 60 + 50 + 50
    assert compare(decided(1))["pool_exhausted_on"] is None


def test_the_drafts_own_window_is_left_out() -> None:
    assert compare(decided(1), effective_from=date(2030, 1, 1), windows=())["changes"] == []


def test_a_partial_line_gives_what_is_left() -> None:
    limits = Limits()
    policy = msgspec.structs.replace(POLICY, cap=None, envelope=Money(100), waitlist="partial")
    day = datetime(2026, 1, 1, tzinfo=UTC).date()
    assert [limits.award(policy, "a", day, 60), limits.award(policy, "b", day, 60)] == [60, 40]
    assert compile_policy(policy).policy == policy
