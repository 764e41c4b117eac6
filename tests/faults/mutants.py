"""You are where the suite is tested: services with deliberate bugs run under the faults that provoke them.

Each must be caught, by an invariant that its bug breaks (and not only by slowness), or the suite proves nothing.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.faults.deck import DECK
from tests.faults.mutant import BUGS
from tests.faults.run import Outcome, Plan, play

_SECONDS: Final = 45.0
_APPLICATIONS: Final = 250
_REST_SECONDS: Final = 30.0
_PATIENCE_SECONDS: Final = 15.0
_TRIES: Final = 2


@dataclass(frozen=True)
class Mutant:
    """A bug with the faults that bring it out, and the invariants of which at least one must break."""

    name: str
    faults: tuple[str, ...]
    caught_by: tuple[str, ...]
    applications: int = _APPLICATIONS


MUTANTS: Final = (
    Mutant("offset-before-transaction", ("end writing backends", "cut connections", "kill both processes"),
           ("I9", "I3")),
    Mutant("relay-by-id", ("lock on an answer", "kill a service process"), ("I7 ",)),
    Mutant("adds-instead-of-subtracting", ("records sent again",), ("I1", "I2")),
    Mutant("no-epoch-fence", ("epoch stolen, offset rewound", "zombie process"), ("I7f",)),
    Mutant("payment-under-new-key", ("two relays", "silent finance"), ("I5",)),
    Mutant("inbox-outside", ("end writing backends", "cut connections", "kill both processes"), ("I9", "I3")),
    Mutant("event-after-commit", ("kill both processes", "kill a service process"), ("I9", "I3 ", "I7 ")),
    Mutant("swallowed-error", ("legal event, illegal state", "poison events"), ("I3p",)),
    Mutant("cap-per-application", ("lock on a pool", "kill both processes"), ("R1",), 600),  # two of a group must meet
    Mutant("answer-before-commit", ("kill both processes", "kill PostgreSQL"), ("I10", "I3 ")),
    Mutant("relay-by-transaction", ("lock on a pool", "old transaction"), ("I7 ",)),
)  # fmt: skip


def run_all(names: str, seed: int) -> int:
    """Run the named mutants (``all``, or names with commas); answer 0 when each was caught."""
    chosen = [mutant for mutant in MUTANTS if names == "all" or mutant.name in names.split(",")]
    assert {mutant.name for mutant in MUTANTS} == BUGS.keys(), "a bug without faults, or faults without a bug"
    lines = [_run(mutant, seed) for mutant in chosen]
    print("\nmutants")
    for _, line in lines:
        print(line)
    return 0 if lines and all(caught for caught, _ in lines) else 1


def _run(mutant: Mutant, seed: int) -> tuple[bool, str]:
    """A bug that needs luck gets another seed before it counts as missed."""
    for number in range(_TRIES):
        print(f"\n{mutant.name}, seed {seed + number}", flush=True)
        outcome = asyncio.run(play(_plan(mutant, seed + number)))
        if by := caught(mutant, outcome):
            first = next(verdict for verdict in outcome.broken if verdict.name == by[0])
            line = f"caught  {mutant.name:30} by {', '.join(by)}: {first.differences[0][:110]}"
            print(line, flush=True)
            return True, line
        print(f"  not caught; broken: {[verdict.name for verdict in outcome.broken]}", flush=True)
    return False, f"MISSED  {mutant.name}"


def caught(mutant: Mutant, outcome: Outcome) -> Sequence[str]:
    """The broken invariants that this bug was expected to break."""
    return [verdict.name for verdict in outcome.broken if verdict.name.startswith(mutant.caught_by)]


def _plan(mutant: Mutant, seed: int) -> Plan:
    deck = tuple(fault for fault in DECK if fault.name in mutant.faults)
    assert len(deck) == len(mutant.faults), f"{mutant.name} asks for a fault that is not in the deck"
    return Plan(
        seed=seed,
        seconds=_SECONDS,
        applications=mutant.applications,
        deck=deck,
        brokers=1,
        mutant=mutant.name,
        rest_seconds=_REST_SECONDS,
        patience_seconds=_PATIENCE_SECONDS,
    )
