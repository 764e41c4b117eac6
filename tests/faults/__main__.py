"""``python -m tests.faults``: exit code 0 when all holds, 1 when an invariant is broken, 3 when the run is void."""

import argparse
import asyncio
import sys

from tests.faults.deck import DECK, FIRST, SOLOS
from tests.faults.report import tell
from tests.faults.run import Outcome, Plan, play

BROKEN, VOID = 1, 3


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long faults are played")
    parser.add_argument("--applications", type=int, default=5_000)
    parser.add_argument("--faults", default="", help="only these rows of faults.md, such as F4,F6")
    parser.add_argument("--brokers", type=int, default=3)
    parser.add_argument("--mutants", nargs="?", const="all", help="test the suite: run services with deliberate bugs")
    asked = parser.parse_args()
    if asked.mutants:
        from tests.faults.mutants import run_all  # noqa: PLC0415  # loads the mutants only where they are asked for

        return run_all(asked.mutants, asked.seed)
    chosen = set(asked.faults.split(",")) - {""}
    deck = tuple(fault for fault in DECK if not chosen or fault.kind in chosen)
    first = tuple(fault for fault in FIRST if not chosen or fault.kind in chosen)
    if not deck and not first:
        parser.error(f"there is none of {asked.faults}")
    plan = Plan(
        seed=asked.seed,
        seconds=60 * asked.minutes,
        applications=asked.applications,
        deck=deck,
        solos=SOLOS,
        first=first,
        brokers=asked.brokers,
    )
    outcome = asyncio.run(play(plan))
    tell(outcome)
    return exit_code(outcome)


def exit_code(outcome: Outcome) -> int:
    """A broken invariant counts even in a void run."""
    if outcome.broken:
        print(f"\nBROKEN: {', '.join(verdict.name for verdict in outcome.broken)}")
        return BROKEN
    if outcome.void or not outcome.happened:
        print(f"\nVOID: {len(outcome.void)} faults did not happen")
        return VOID
    print("\nall invariants hold")
    return 0


if __name__ == "__main__":
    sys.exit(main())
