"""`make fuzz`: at least so many cases in all over the four services, as each scope, on a system that has lived.

    python -m tests.fuzz --seed 1 --cases 10000

Prints a line for each run, and what was found. Exit code 1 when anything was, or when fewer cases ran.
"""

import argparse
import asyncio
import sys
from typing import Final

from tests.fuzz.runs import SCOPES, Outcome, Run, carry_out, runs_of
from tests.fuzz.system import System, running

COMPANIES: Final = 30
PHASES: Final = "examples,coverage,fuzzing,stateful"
MORE: Final = "fuzzing,stateful"
FIRST_EXAMPLES: Final = 15
MORE_EXAMPLES: Final = 40
MOST_ROUNDS: Final = 20


async def fuzz(seed: int, cases: int) -> bool:
    """Run all phases once, then the random ones again with other seeds, until there were so many cases."""
    async with running() as system:
        await system.live_through(COMPANIES)
        ran, clean = 0, True
        for turn in range(MOST_ROUNDS):
            for run in await _round(system, turn):
                outcome = await asyncio.to_thread(_carried_out, system, run, seed + turn)
                ran, clean = ran + outcome.cases, clean and outcome.clean
            if ran >= cases or not clean:
                break
    sys.stdout.write(f"{ran} cases, {'nothing found' if clean else 'something was found'}\n")
    return clean and ran >= cases


async def _round(system: System, turn: int) -> list[Run]:
    examples, phases = (MORE_EXAMPLES, MORE) if turn else (FIRST_EXAMPLES, PHASES)
    documents = {service: await system.document(service) for service in SCOPES}
    return [run for service, document in documents.items() for run in runs_of(service, document, examples, phases)]


def _carried_out(system: System, run: Run, seed: int) -> Outcome:
    outcome = carry_out(run, system.urls[run.service], system.token(run.scope), seed)
    sys.stdout.write(f"{run.service:14} {run.scope:14} {outcome.cases:6} cases{'' if outcome.clean else '  FOUND'}\n")
    if not outcome.clean:
        sys.stdout.write(outcome.output)
    sys.stdout.flush()
    return outcome


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=10_000)
    chosen = parser.parse_args()
    return 0 if asyncio.run(fuzz(chosen.seed, chosen.cases)) else 1


if __name__ == "__main__":
    sys.exit(main())
