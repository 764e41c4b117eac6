"""A short cut of the fault suite, under a fixed seed, small enough for every run of the tests.

``make faults SEED=1`` plays the whole deck for ten minutes; ``make faults MUTANTS=1`` tests the suite itself.
"""

import pytest

from tests.faults import check_delivery, check_lives, check_money
from tests.faults.deck import DECK
from tests.faults.mutant import BUGS
from tests.faults.mutants import MUTANTS
from tests.faults.report import tell
from tests.faults.run import Plan, play

# One of each family that is over in a few seconds: process, broker, database, connections, events.
SHORT = frozenset(
    {
        "kill a service process", "kill PostgreSQL", "end writing backends", "cut connections", "lock on an answer",
        "poison events", "legal event, illegal state", "records sent again", "epoch stolen, offset rewound",
        "two relays", "contradicting finance", "kill a broker",
    }
)  # fmt: skip


async def test_what_was_promised_holds_while_parts_are_broken(capsys: pytest.CaptureFixture[str]) -> None:
    deck = tuple(fault for fault in DECK if fault.name in SHORT)
    assert len(deck) == len(SHORT)
    outcome = await play(Plan(seed=1, seconds=40, applications=200, deck=deck, brokers=1))
    with capsys.disabled():
        tell(outcome)

    assert not outcome.broken
    assert any(each.proof for each in outcome.happened)


def test_each_mutant_has_its_faults_and_each_invariant_its_check() -> None:
    names = {fault.name for fault in DECK}
    assert {mutant.name for mutant in MUTANTS} == BUGS.keys()
    assert {fault for mutant in MUTANTS for fault in mutant.faults} <= names
    begun_with, no_card = {"F16"}, {"F17"}
    assert {fault.kind for fault in DECK} == {f"F{number}" for number in range(1, 19)} - begun_with - no_card
    documents = [module.__doc__ or "" for module in (check_money, check_lives, check_delivery)]
    assert all(any(f"I{number}" in text for text in documents) for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12))
