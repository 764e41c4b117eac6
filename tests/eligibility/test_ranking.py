"""A ranking call: scores to an order to sums, the same however they come; over the API once, after it has closed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.common import Request
from contracts.events import ApplicationApproved, ApplicationRejected, ApplicationSubmitted, ReviewOpened
from contracts.money import Money
from contracts.policy import Ranking, Window
from eligibility import ranking
from eligibility.ranking import Entry, Placed
from kit.database import Database
from tests.eligibility.office import Office
from tests.eligibility.persons import Persons, asked, process, published
from tests.eligibility.scenes import APPLICANT, FEN, NOW, POLICY, contract

SPACE = UUID(int=7)
RULES = Ranking(budget=Money(1_000), panel=2, threshold=50, outlier=30, ties=("smaller_request",), last="partial")


def entry(number: int, computed: int, *scores: int) -> Entry:
    by = {f"p{place}": score for place, score in enumerate(scores)}
    return Entry(uuid5(SPACE, str(number)), computed, NOW + timedelta(minutes=number), by)


def allocated(rules: Ranking, *entries: Entry) -> list[tuple[int, int]]:
    return [(placed.points, placed.allocated) for placed in ranking.rank(rules, "call", entries)]


def test_the_best_are_funded_until_the_budget_ends() -> None:
    entries = entry(1, 600, 90, 90), entry(2, 300, 80, 80), entry(3, 300, 70, 70), entry(4, 1, 60, 60)
    assert allocated(RULES, *entries) == [(180, 600), (160, 300), (140, 100), (120, 0)]
    whole = msgspec.structs.replace(RULES, last="whole")
    assert allocated(whole, *entries) == [(180, 600), (160, 300), (140, 0), (120, 0)]


def test_below_the_threshold_nothing_is_funded_though_there_is_money() -> None:
    assert allocated(RULES, entry(1, 100, 50, 50), entry(2, 100, 49, 50)) == [(100, 100), (99, 0)]


def test_ties_are_broken_as_published_and_at_last_by_lot() -> None:
    larger, smaller = entry(1, 900, 80, 80), entry(2, 800, 80, 80)
    assert [one.application_id for one in ranking.rank(RULES, "c", [larger, smaller])] == [
        smaller.application_id,
        larger.application_id,
    ]
    alike = [entry(number, 100, 80, 80) for number in range(20)]
    orders = {call: [one.application_id for one in ranking.rank(RULES, call, alike)] for call in ("a", "b")}
    assert orders["a"] == sorted(orders["a"], key=lambda one: ranking.lot("a", one)) != orders["b"]


def test_outliers_are_shown_and_count() -> None:
    rules = msgspec.structs.replace(RULES, panel=3)
    [placed] = ranking.rank(rules, "c", [entry(1, 10, 80, 85, 20)])
    assert (placed.points, placed.outliers) == (185, ("p2",))


_ENTRIES = st.lists(st.tuples(st.integers(1, 700), st.integers(0, 100), st.integers(0, 100)), max_size=12)


@given(_ENTRIES, st.randoms(), st.sampled_from(["partial", "whole"]))
def test_whatever_is_scored_the_allocation_holds(given_: Any, chance: Any, last: Any) -> None:
    rules = msgspec.structs.replace(RULES, last=last)
    entries = [entry(number, *one) for number, one in enumerate(given_)]
    placed = ranking.rank(rules, "call", entries)
    shuffled = entries[:]
    chance.shuffle(shuffled)
    assert ranking.rank(rules, "call", shuffled) == placed
    assert sum(one.allocated for one in placed) <= rules.budget.amount
    assert [one.points for one in placed] == sorted((one.points for one in placed), reverse=True)
    funded = [one.allocated > 0 for one in placed]
    assert funded == sorted(funded, reverse=True), "somebody behind one that got nothing was funded"
    wanted = {one.application_id: one.computed for one in entries}
    assert all(one.allocated <= wanted[one.application_id] for one in placed)
    assert sum(0 < one.allocated < wanted[one.application_id] for one in placed) <= (last == "partial")


# --- over the API --------------------------------------------------------------------------------------------


@pytest.fixture
async def persons(database: Database) -> AsyncIterator[Persons]:
    async with process(database) as persons:
        yield persons


async def call(office: Office, database: Database, *, closed: bool = True, count: int = 3) -> Any:
    """A call in which each asks for CNY 1,000,000, of which 60 % is computed; the budget is CNY 1,000,000."""
    rules = Ranking(budget=Money(1_000_000 * FEN), panel=2, threshold=40, last="partial")
    closes_at = datetime(2026, 7, 1, tzinfo=UTC) if closed else datetime(2099, 1, 1, tzinfo=UTC)
    window = Window(datetime(2026, 1, 1, tzinfo=UTC), closes_at)
    scheme = await published(database, ranking=rules, windows=(window,))
    money = Money(1_000_000 * FEN)
    sent = [asked(scheme, request=Request(money=money, contract=contract(money=money))) for _ in range(count)]
    await office.submit(*sent)
    await office.assess()
    return scheme, sent


async def scored(persons: Persons, submitted: ApplicationSubmitted, points: int, by: str) -> Any:
    path = f"/v1/calls/applications/{submitted.application_id}/score"
    return await persons.put(path, {"score": points, "comment": "sound"}, by=by)


async def test_a_call_is_ranked_once_and_all_of_it_is_decided(
    office: Office, database: Database, persons: Persons
) -> None:
    scheme, sent = await call(office, database)
    opened = [event for event in await office.announced() if isinstance(event, ReviewOpened)]
    assert {event.holder for event in opened} == {"panel"}
    path = f"/v1/calls/{scheme.scheme}/{scheme.version}/ranking"
    early = await persons.post(path, by="anna")
    assert (early.status_code, early.json()["code"]) == (409, "call_incomplete")
    for points, one in zip((90, 70, 30), sent, strict=True):
        for panellist in ("pia", "paul"):
            assert (await scored(persons, one, points, panellist)).is_success

    answers = await asyncio.gather(*(persons.post(path, by=who) for who in ("anna", "bo", "cleo")))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    places = answers[0].json()["places"]
    assert [place["allocated"] for place in places] == [600_000 * FEN, 400_000 * FEN, 0]

    await office.until_settled()
    events = await office.announced()
    approved = {event.application_id: event for event in events if isinstance(event, ApplicationApproved)}
    assert [approved[one.application_id].approved.amount for one in sent[:2]] == [600_000 * FEN, 400_000 * FEN]
    [rejected] = [event for event in events if isinstance(event, ApplicationRejected)]
    [reason] = [reason for reason in rejected.reasons if reason.outcome == "not_met"]
    assert reason.code == "ranking"
    assert "number 3 of 3" in reason.text.en
    shown = await persons.get(f"/v1/assessments/{sent[1].application_id}")
    assert shown["replay"]["identical"] is True
    late = await scored(persons, sent[0], 1, "pia")
    assert (late.status_code, late.json()["code"]) == (409, "nothing_to_score")


async def test_what_comes_after_the_ranking_is_for_an_officer_and_not_for_the_panel(
    office: Office, database: Database, persons: Persons
) -> None:
    scheme, sent = await call(office, database, count=1)
    for panellist in ("pia", "paul"):
        await scored(persons, sent[0], 90, panellist)
    assert (await persons.post(f"/v1/calls/{scheme.scheme}/{scheme.version}/ranking", by="anna")).is_success
    money = Money(1_000_000 * FEN)
    late = asked(scheme, request=Request(money=money, contract=contract(money=money)))
    await office.submit(late)
    await office.assess()
    assert (await office.find(late)).waits_for == "officer"
    task = await persons.task(late.application_id)
    assert task["kind"] == "facts"
    [opened] = [one for one in await office.announced() if getattr(one, "application_id", None) == late.application_id]
    assert isinstance(opened, ReviewOpened)
    assert "after its call was ranked" in opened.waiting_for.en


async def test_a_call_that_is_open_is_not_ranked(office: Office, database: Database, persons: Persons) -> None:
    scheme, sent = await call(office, database, closed=False, count=1)
    for panellist in ("pia", "paul"):
        await scored(persons, sent[0], 90, panellist)
    refused = await persons.post(f"/v1/calls/{scheme.scheme}/{scheme.version}/ranking")
    assert (refused.status_code, refused.json()["code"]) == (409, "call_open")


async def test_a_panellist_sees_what_was_handed_in_and_only_own_scores(
    office: Office, database: Database, persons: Persons
) -> None:
    scheme, sent = await call(office, database, count=1)
    await scored(persons, sent[0], 90, "pia")
    path = f"/v1/calls/{scheme.scheme}/{scheme.version}"
    [seen] = (await persons.get(path, by="paul", scope="panel"))["items"]
    assert (seen["scores"], seen["own_score"]) == (1, None)
    assert "facts" not in seen
    [own] = (await persons.get(path, by="pia", scope="panel"))["items"]
    assert own["own_score"] == 90
    assert (await persons.get(f"{path}/ranking", by="pia", scope="panel"))["code"] == "scope_missing"


async def test_who_scores_is_bounded(office: Office, database: Database, persons: Persons) -> None:
    _, sent = await call(office, database, count=1)
    await persons.post("/v1/interests", {"applicant": APPLICANT, "why": "a friend's"}, by="pete")
    refused = await scored(persons, sent[0], 90, "pete")
    assert (refused.status_code, refused.json()["code"]) == (403, "interest_declared")
    high = await scored(persons, sent[0], 101, "pia")
    assert (high.status_code, high.json()["code"]) == (422, "score_out_of_scale")
    for panellist in ("pia", "paul", "pia"):
        assert (await scored(persons, sent[0], 50, panellist)).is_success
    third = await scored(persons, sent[0], 50, "petra")
    assert (third.status_code, third.json()["code"]) == (409, "panel_complete")


async def test_a_scheme_without_a_ranking_is_no_call(persons: Persons, database: Database) -> None:
    refused = await persons.post(f"/v1/calls/{POLICY.scheme}/{POLICY.version}/ranking")
    assert (refused.status_code, refused.json()["code"]) == (404, "call_not_found")


def test_a_place_is_told_in_the_applicants_words() -> None:
    place = Placed(SPACE, 2, 5, 300, 0, above_threshold=False)
    told = ranking.reason(msgspec.to_builtins(place))
    assert told.outcome == "not_met"
    assert "number 2 of 5" in told.text.en
    assert ranking.reason(None).outcome == "unknown"
