"""The rules as tables of cases: status by rank, stages, the chain of transfers, the forecast."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from contracts.chain import GENESIS
from contracts.events import TransferPosted
from metrics.rules import books, forecast, lifecycle, tallies
from metrics.rules.books import Pool
from metrics.rules.forecast import Pace
from metrics.rules.lifecycle import Application, Claim
from tests.metrics.story import POOL, SCHEME, START, Ledger, at, identifier


def application(**facts: Any) -> Application:
    return Application(application_id=identifier("application"), scheme=SCHEME, **facts)


# --- where an application stands -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({}, "submitted"),
        ({"intake": "submitted"}, "submitted"),
        ({"eligibility": "clarifying", "clarifications": 1}, "clarifying"),
        ({"eligibility": "clarifying", "clarifications": 0}, "in_review"),
        ({"clarifications": -1}, "submitted"),
        ({"eligibility": "in_review"}, "in_review"),
        ({"eligibility": "approved"}, "approved"),
        ({"eligibility": "rejected"}, "rejected"),
        ({"eligibility": "rejected", "appeals": 1}, "in_review"),
        ({"eligibility": "approved", "appeals": 0}, "approved"),
        ({"disbursement": "awarded"}, "awarded"),
        ({"disbursement": "awarded", "eligibility": "approved", "intake": "submitted"}, "awarded"),
        ({"disbursement": "waitlisted", "eligibility": "approved"}, "waitlisted"),
        ({"disbursement": "refused", "eligibility": "approved"}, "rejected"),
        ({"disbursement": "awarded", "intake": "withdrawn"}, "withdrawn"),
        ({"disbursement": "refused", "intake": "withdrawn"}, "withdrawn"),
        ({"eligibility": "clarifying", "clarifications": 1, "intake": "lapsed"}, "lapsed"),
    ],
)
def test_status_is_derived_by_rank(facts: dict[str, Any], status: str) -> None:
    assert lifecycle.status(application(**facts)) == status


@pytest.mark.parametrize(
    ("facts", "fen"),
    [
        ({"disbursement": "waitlisted", "waits_for": 100}, 100),
        ({"disbursement": "waitlisted", "waits_for": 100, "awarded": 30}, 70),
        ({"disbursement": "awarded", "waits_for": 100, "awarded": 100}, 0),
        ({"disbursement": "waitlisted", "waits_for": 100, "intake": "withdrawn"}, 0),
    ],
)
def test_only_the_waitlisted_wait(facts: dict[str, Any], fen: int) -> None:
    assert lifecycle.waiting(application(**facts)) == fen


def test_a_row_known_only_by_its_identifier_adds_nothing() -> None:
    assert not tallies.of(Application(application_id=identifier("application")))
    assert not tallies.of(Claim(claim_id=identifier("claim")))


def test_what_an_awarded_application_states_in_whole_numbers_is_a_measure() -> None:
    details = {"area_m2": 12_000, "address": "1", "share": 0.5, "sure": True, "huge": 10**13, "below": -1}
    stated = application(measures=lifecycle.measured(details))
    measure = (tallies.MEASURE, SCHEME, "area_m2")
    assert measure not in tallies.of(stated)
    stated.awarded_at = START
    found = tallies.of(stated)
    assert found[measure] == 12_000
    assert {tally for tally in found if tally[0] == tallies.MEASURE} == {measure}


# --- stages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "bucket", "microseconds"),
    [
        (-5.0, "1", 0),
        (0.0, "1", 0),
        (1.0, "1", 1_000_000),
        (1.000001, "5", 1_000_001),
        (86_400.0, "86400", 86_400_000_000),
        (181 * 86_400.0, "+Inf", 181 * 86_400_000_000),
    ],
)
def test_a_stage_falls_into_the_least_bucket_that_holds_it(seconds: float, bucket: str, microseconds: int) -> None:
    observed = dict(tallies.stage("decision_to_award", SCHEME, START, START + timedelta(seconds=seconds)))
    assert observed == {
        ("decision_to_award", SCHEME, bucket): 1,
        ("decision_to_award", SCHEME, "sum_microseconds"): microseconds,
    }


@pytest.mark.parametrize(("start", "end"), [(None, START), (START, None), (None, None)])
def test_a_stage_with_one_end_is_not_counted(start: datetime | None, end: datetime | None) -> None:
    assert not list(tallies.stage("decision_to_award", SCHEME, start, end))


def test_the_first_decision_ends_the_first_stage() -> None:
    row = application(submitted_at=at(0), rejected_at=at(1), approved_at=at(9))
    assert tallies.of(row)[("submission_to_decision", SCHEME, "sum_microseconds")] == 60_000_000


def test_buckets_are_cumulative_up_to_infinity() -> None:
    found = tallies.buckets({"1": 2, "60": 3, "+Inf": 1, "sum_microseconds": 99})
    assert dict(found)["1"] == 2
    assert dict(found)["60"] == dict(found)["15552000"] == 5
    assert found[-1] == ("+Inf", 6.0)


# --- the books ---------------------------------------------------------------------------------------------------


def opened() -> tuple[Pool, Ledger]:
    pool, ledger = Pool(pool=POOL), Ledger()
    books.replay(pool, ledger.open(1_000))
    return pool, ledger


def test_replay_keeps_the_books_balanced() -> None:
    pool, ledger = opened()
    for source, target, amount in [
        ("available", "committed", 600),
        ("committed", "obligated", 400),
        ("obligated", "disbursed", 300),
        ("obligated", "committed", 100),
        ("disbursed", "available", 50),
    ]:
        books.replay(pool, ledger.post(source, target, amount))
    assert (pool.available, pool.committed, pool.obligated, pool.disbursed) == (450, 300, 0, 250)
    assert (pool.appropriated, pool.imbalance) == (1_000, 0)


def test_an_appropriation_that_is_lowered_and_raised_again_stays_balanced() -> None:
    pool, ledger = opened()
    books.replay(pool, ledger.post("available", "committed", 600))
    books.replay(pool, ledger.lower(300))
    assert (pool.appropriated, pool.available, pool.committed, pool.imbalance) == (700, 100, 600, 0)
    books.replay(pool, ledger.raise_by(250))
    assert (pool.appropriated, pool.available, pool.committed, pool.imbalance) == (950, 350, 600, 0)


def test_a_lowering_that_is_missing_shows_as_imbalance() -> None:
    pool, ledger = opened()
    ledger.lower(300)
    books.replay(pool, ledger.post("available", "committed", 70))
    assert pool.imbalance == 600  # 300 fen too many are available, and 300 too many appropriated


def test_a_first_transfer_begins_the_chain() -> None:
    assert books.flaw(Pool(pool=POOL), Ledger().open()) is None


def _later(transfer: TransferPosted) -> TransferPosted:
    return replace(transfer, version=transfer.version + 1)


def _rewritten(transfer: TransferPosted) -> TransferPosted:
    return replace(transfer, previous_hash=GENESIS)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda transfer: transfer, None),
        (_later, "version 3 follows version 1"),
        (_rewritten, "version 2 does not carry the hash of version 1"),
    ],
)
def test_a_broken_chain_is_named(change: Any, found: str | None) -> None:
    pool, ledger = opened()
    assert books.flaw(pool, change(ledger.post("available", "committed", 1))) == found


def test_a_transfer_seen_again_is_no_flaw_but_a_different_one_is() -> None:
    pool, ledger = opened()
    transfer = ledger.post("available", "committed", 1)
    books.replay(pool, transfer)
    assert books.seen(pool, transfer)
    assert books.flaw(pool, transfer) is None
    assert books.flaw(pool, replace(transfer, hash="f" * 64)) == "two different transfers have version 2"


def test_a_missing_transfer_shows_as_imbalance() -> None:
    pool, ledger = opened()
    ledger.post("available", "committed", 70)
    books.replay(pool, ledger.post("committed", "obligated", 20))
    assert pool.imbalance == 140  # 70 fen are missing in one state and too many in the other


def test_balances_that_do_not_add_up_show_as_imbalance() -> None:
    pool, ledger = opened()
    ledger.balances["disbursed"] += 5
    books.replay(pool, ledger.post("available", "committed", 70))
    assert pool.imbalance == 10  # 5 against the replay, 5 against the appropriation


def test_an_unknown_state_is_refused() -> None:
    pool, ledger = opened()
    with pytest.raises(ValueError, match="unknown state 'elsewhere'"):
        books.replay(pool, replace(ledger.post("available", "committed", 1), source="elsewhere"))


def test_an_appropriation_moves_nothing_inside_the_pool() -> None:
    ledger = Ledger()
    assert not list(books.legs(ledger.open()))
    assert not list(books.legs(ledger.lower(3)))
    assert not list(books.legs(ledger.raise_by(2)))
    assert list(books.legs(ledger.post("available", "committed", 7))) == [("available", -7), ("committed", 7)]


# --- the forecast ------------------------------------------------------------------------------------------------

NOW = datetime(2026, 6, 30, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("available", "pace", "days"),
    [
        (1_000, Pace(POOL, promised=100, first_day=date(2026, 6, 21)), 100),  # 100 fen in 10 days
        (1_000, Pace(POOL, promised=900, first_day=date(2026, 1, 1)), 100),  # 900 fen in the window of 90 days
        (0, Pace(POOL, promised=100, first_day=date(2026, 6, 21)), 0),
    ],
)
def test_the_forecast_is_a_straight_line(available: int, pace: Pace, days: int) -> None:
    assert forecast.exhaustion(available, pace, NOW) == NOW + timedelta(days=days)


@pytest.mark.parametrize(
    "pace",
    [
        None,
        Pace(POOL, promised=0, first_day=date(2026, 1, 1)),
        Pace(POOL, promised=-5, first_day=date(2026, 1, 1)),
        Pace(POOL, promised=100, first_day=date(2026, 6, 25)),  # six days are no trend
        Pace(POOL, promised=1, first_day=date(2026, 6, 1)),  # beyond the year 9999
    ],
)
def test_without_a_trend_there_is_no_forecast(pace: Pace | None) -> None:
    assert forecast.exhaustion(10**12, pace, NOW) is None
