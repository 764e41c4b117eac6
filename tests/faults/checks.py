"""You are at the list of invariants: every check, applied to what was found."""

from tests.faults import check_delivery as delivery
from tests.faults import check_lives as lives
from tests.faults import check_money as money
from tests.faults.director import Happened
from tests.faults.evidence import Evidence
from tests.faults.verdict import Verdict, verdict


def judge(
    found: Evidence, happened: list[Happened], rest: tuple[float | None, list[str]], surprises: list[str]
) -> list[Verdict]:
    """Return a verdict for each invariant of faults.md."""
    return [
        money.money_is_conserved(found),
        money.never_below_zero(found),
        money.caps_hold(found),
        lives.each_answer_has_its_effect(found),
        delivery.poison_is_parked(found),
        lives.states_move_along(found),
        money.nothing_paid_twice(found),
        money.holds_resolved_once(found),
        delivery.topics_equal_outboxes(found),
        delivery.the_fenced_stop(found),
        lives.same_key_same_answer(found),
        verdict("I8s no answer outside of the contract", "what the portal was told", surprises),
        delivery.all_is_at_rest(found, rest),
        lives.acknowledged_stays(found, happened),
        delivery.comes_back_in_time(happened),
        delivery.nothing_leaks(found),
    ]
