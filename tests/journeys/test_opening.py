"""The opening morning in small, on a system of its own: everybody at once, clicking again, mistyping, hanging up.

The whole of it is ``make opening``; ``make opening KILL=1`` kills intake meanwhile.
"""

import msgspec
import pytest

from benchmarks.opening import run
from benchmarks.opening.plan import Manner, intents
from benchmarks.opening.run import Morning, Outcome

PLAN = msgspec.structs.replace(run.today(), submissions=600, companies=200, seconds=5.0, seed=7)
KILLED_AT = 1.5


@pytest.mark.parametrize("kill_at", [None, KILLED_AT], ids=["quiet", "intake killed"])
async def test_each_intent_is_accepted_once_and_every_refusal_is_well_formed(kill_at: float | None) -> None:
    outcome = await run.play(Morning(PLAN, kill_at=kill_at, again=PLAN.submissions, deadline_seconds=120))
    assert {name: found for name, found in outcome.wrong.items() if found} == {}
    assert outcome.within[120] == 1.0
    assert_it_was_a_morning(outcome)
    if kill_at is not None:
        assert any(what.startswith("lost") for what in outcome.heard.tries), "the kill was felt by nobody"


def assert_it_was_a_morning(outcome: Outcome) -> None:
    """A crowd in which nobody clicks twice, mistypes or hangs up would prove nothing."""
    manners = {intent.manner for intent in intents(PLAN)}
    assert manners == set(Manner)
    tries = outcome.heard.tries
    assert tries["201"] > outcome.accepted > 500
    assert tries["422 validation_failed"] > 10
    assert tries["hung up"] + tries["hung up: ConnectionRefusedError"] > 3
