"""Kafka orders one company's events within a topic, not between topics. Any order it may give has the same result."""

from collections import Counter
from collections.abc import Callable, Iterable
from copy import copy
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contracts.common import Text
from contracts.events import (
    AppealDecided,
    AppealLodged,
    ApplicationLapsed,
    ApplicationWithdrawn,
    AwardRefused,
    ClarificationAnswered,
    ClarificationRequested,
    Event,
    ReviewOpened,
)
from contracts.topics import TOPIC_OF
from metrics.handlers import apply
from metrics.projection import Projection
from metrics.rules import books
from tests.metrics.conftest import SHENZHEN
from tests.metrics.story import Case, Ledger, one_paid_case, policy

Life = Callable[[Ledger, Case], list[Event]]
ALL_NETTED = (("committed", "obligated"), ("obligated", "disbursed"), ("disbursed", "available"))
QUESTION = Text(zh="请补充合同。", en="Please add the contract.")


def paid(ledger: Ledger, case: Case) -> list[Event]:
    return one_paid_case(ledger, case)


def paid_in_parts(ledger: Ledger, case: Case) -> list[Event]:
    more: list[Event] = [case.claimed(2, 6), case.instructed(2, 7), case.instructed(2, 9), case.paid(2, 11)]
    return one_paid_case(ledger, case) + more


def clarified(_ledger: Ledger, case: Case) -> list[Event]:
    asked = case.say(ClarificationRequested, 1, question=QUESTION)
    answered = case.say(ClarificationAnswered, 2, answer="附上")
    return [case.submitted(), asked, answered, case.say(ReviewOpened, 3, waiting_for=QUESTION), case.approved(4)]


def asked_twice(_ledger: Ledger, case: Case) -> list[Event]:
    asked = [case.say(ClarificationRequested, minutes, question=QUESTION) for minutes in (1, 3)]
    return [case.submitted(), asked[0], case.say(ClarificationAnswered, 2, answer="附上"), asked[1]]


def lapsed(_ledger: Ledger, case: Case) -> list[Event]:
    asked = case.say(ClarificationRequested, 1, question=QUESTION)
    return [case.submitted(), asked, case.say(ApplicationLapsed, 9)]


def upheld(_ledger: Ledger, case: Case) -> list[Event]:
    decided = case.say(AppealDecided, 3, upheld=True, reasons=())
    return [case.submitted(), case.rejected(1), case.say(AppealLodged, 2, grounds="有误"), decided, case.approved(3)]


def appealing(_ledger: Ledger, case: Case) -> list[Event]:
    return [case.submitted(), case.rejected(1), case.say(AppealLodged, 2, grounds="有误")]


def waited(ledger: Ledger, case: Case) -> list[Event]:
    award = {"award_id": case.award_id, "reason": "award.issued"}
    freed = [case.awarded(8), ledger.post("available", "committed", 60_000_000, minutes=8, **award)]
    return [case.submitted(), case.approved(1), case.waitlisted(2), *freed]


def waiting(_ledger: Ledger, case: Case) -> list[Event]:
    return [case.submitted(), case.approved(1), case.waitlisted(2)]


def refused(_ledger: Ledger, case: Case) -> list[Event]:
    return [case.submitted(), case.approved(1), case.say(AwardRefused, 2, reasons=())]


def withdrawn_too_late(_ledger: Ledger, case: Case) -> list[Event]:
    return [case.submitted(), case.approved(1), case.awarded(2), case.say(ApplicationWithdrawn, 2)]


def expired(ledger: Ledger, case: Case) -> list[Event]:
    told, rest = one_paid_case(ledger, case), 60_000_000 - 12_345_678
    back = ledger.post("committed", "available", rest, minutes=9, award_id=case.award_id, reason="award.expired")
    return [*told, back]


def recovered(ledger: Ledger, case: Case) -> list[Event]:
    """Part of what was paid comes back by a receipt, the rest out of a later claim that is netted whole."""
    told = one_paid_case(ledger, case)
    award: dict[str, Any] = {"award_id": case.award_id}
    back = ledger.post("disbursed", "available", 2_345_678, minutes=9, reason="recovery.received", **award)
    netted = [
        case.claimed(2, 10),
        *(ledger.post(*move, 10_000_000, minutes=11, **award) for move in ALL_NETTED),
        case.paid(2, 11, 10_000_000),
    ]
    return [*told, back, *netted]


def cancelled(ledger: Ledger, case: Case) -> list[Event]:
    """A second payment is returned twice and then given up."""
    award: dict[str, Any] = {"award_id": case.award_id}
    return [
        *one_paid_case(ledger, case),
        case.claimed(2, 6),
        ledger.post("committed", "obligated", 500, minutes=7, **award),
        case.instructed(2, 7, 500),
        case.instructed(2, 8, 500, attempt=2),
        ledger.post("obligated", "committed", 500, minutes=9, reason="payment.cancelled", **award),
    ]


def appropriated_anew(ledger: Ledger, case: Case) -> list[Event]:
    """The pool and the scheme's envelope are lowered, then raised, while a policy of another envelope is published."""
    return [
        case.submitted(),
        policy(envelope=50_000, version=f"2026.{case.number}"),
        ledger.lower(1_000, minutes=1),
        ledger.set_envelope(40_000, minutes=1),
        ledger.raise_by(700, minutes=2),
        ledger.set_envelope(60_000 + case.number, minutes=2),
        ledger.set_envelope(70_000, year=2027, minutes=2),
    ]


LIVES = {
    paid: "awarded",
    paid_in_parts: "awarded",
    clarified: "approved",
    asked_twice: "clarifying",
    lapsed: "lapsed",
    upheld: "approved",
    appealing: "in_review",
    waited: "awarded",
    waiting: "waitlisted",
    refused: "rejected",
    withdrawn_too_late: "withdrawn",
    expired: "awarded",
    recovered: "awarded",
    cancelled: "awarded",
    appropriated_anew: "submitted",
}


class Kept:
    """What a database would keep: rows, and totals that differences are added to."""

    def __init__(self) -> None:
        self.rows: dict[Any, Any] = {}
        self.totals: Counter[Any] = Counter()
        self.years: dict[Any, int] = {}
        self.envelopes: dict[Any, Any] = {}

    def apply(self, batch: Iterable[Event]) -> None:
        projection = Projection(SHENZHEN)
        for row in self.rows.values():
            projection.take(copy(row))
        projection.award_years |= self.years
        for event in batch:
            apply(projection, event)
        self.rows = {**projection.pools, **projection.applications, **projection.claims}
        self.years = projection.award_years
        self.envelopes |= projection.envelopes | projection.envelope_years
        for changes in (projection.tallies(), projection.scheme_balances, projection.flows):
            self.totals.update(changes)

    def figures(self) -> tuple[Any, ...]:
        totals = {total: value for total, value in self.totals.items() if value}
        return self.rows, totals, self.years, self.envelopes


def projected(events: Iterable[Event]) -> Kept:
    kept = Kept()
    kept.apply(events)
    return kept


def events_of(lives: Iterable[Life]) -> list[Event]:
    ledger = Ledger()
    told: list[Event] = [ledger.open()]
    for number, life in enumerate(lives):
        told += life(ledger, Case(number))
    return told


def shuffled(events: list[Event], random: Random) -> list[Event]:
    """Another order that Kafka may give: events of one topic and key keep theirs."""
    lanes: dict[tuple[str, str], list[Event]] = {}
    for event in events:
        topic = TOPIC_OF[type(event)]
        lane = (topic.name, str(getattr(event, "application_id", "")) if topic.key == "applicant" else POOL_LANE)
        lanes.setdefault(lane, []).append(event)
    mixed = []
    while lanes:
        lane = random.choice(sorted(lanes))
        mixed.append(lanes[lane].pop(0))
        if not lanes[lane]:
            del lanes[lane]
    return mixed


POOL_LANE = "pool"
some_lives = st.lists(st.sampled_from(list(LIVES)), min_size=1, max_size=5)


def test_every_life_ends_where_it_should() -> None:
    for life, status in LIVES.items():
        tallies = projected(events_of([life])).totals
        assert tallies[("status", "compute-voucher", status)] == 1, life.__name__


def test_a_payment_that_is_instructed_again_keeps_its_first_time() -> None:
    totals = projected(events_of([cancelled])).totals
    assert totals[("claim_to_payment", "compute-voucher", "sum_microseconds")] == 2 * 60_000_000


@given(some_lives, st.randoms(use_true_random=False))
def test_any_interleaving_gives_the_same_projection(lives: list[Life], random: Random) -> None:
    told = events_of(lives)
    assert projected(shuffled(told, random)).figures() == projected(told).figures()


@given(some_lives, st.randoms(use_true_random=False))
def test_the_books_hold_in_any_order(lives: list[Life], random: Random) -> None:
    """No transfer unbalances a pool, and what its states hold is what moved inside of it, and what it was given."""
    kept = projected(shuffled(events_of(lives), random))
    pool = kept.rows["ai-package-2025"]
    assert (pool.imbalance, pool.breaks) == (0, 0)
    given = {"available": pool.appropriated}
    for state in books.STATES:
        moved = sum(value for total, value in kept.totals.items() if len(total) == 4 and total[3] == state)
        assert given.get(state, 0) + moved == getattr(pool, state), state


@given(some_lives, st.randoms(use_true_random=False), st.integers(min_value=1, max_value=7))
def test_any_batches_give_the_same_projection(lives: list[Life], random: Random, size: int) -> None:
    told = shuffled(events_of(lives), random)
    kept = Kept()
    for start in range(0, len(told), size):
        kept.apply(told[start : start + size])
    assert kept.figures() == projected(told).figures()


@given(some_lives)
def test_applications_are_each_in_one_status(lives: list[Life]) -> None:
    totals = projected(events_of(lives)).totals
    statuses = [value for total, value in totals.items() if total[0] == "status"]
    assert sum(statuses) == len(lives)
    assert min(statuses) >= 0


@given(some_lives, st.data())
def test_a_transfer_that_comes_again_changes_nothing(lives: list[Life], data: st.DataObject) -> None:
    told = events_of(lives)
    again = data.draw(st.sampled_from([event for event in told if hasattr(event, "transfer_id")]))
    late = data.draw(st.integers(min_value=told.index(again) + 1, max_value=len(told)))
    assert projected([*told[:late], again, *told[late:]]).figures() == projected(told).figures()
