"""``python -m tests.restore``: exit code 0 when nothing was lost and all checks hold, 1 otherwise."""

import argparse
import asyncio
import sys
import time

from tests.restore.drill import Outcome, drill


def main() -> int:
    """Run the drill and tell it."""
    parser = argparse.ArgumentParser(prog="python -m tests.restore", description=__doc__)
    parser.add_argument("--companies", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--settled", type=int, default=60, help="payments that are settled before the disaster")
    parser.add_argument("--lose", type=float, default=0.0, help="seconds before the disaster that stay lost")
    asked = parser.parse_args()
    began = time.monotonic()

    def tell(said: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {said}", flush=True)

    outcome = asyncio.run(drill(asked.companies, asked.seed, asked.settled, asked.lose, tell))
    show(outcome)
    return 0 if outcome.passed else 1


def show(outcome: Outcome) -> None:
    """Print the verdict, then recovery point and time."""
    if outcome.report is None:
        print(" ✗ the season does not come to its end: it waits for what was lost")
    for result in outcome.report.results if outcome.report else ():
        print(f" {'✓' if result.passed else '✗'} {result.name} ({result.seen})")
        for difference in result.shown():
            print(f"     {difference}")
    lost = f"{len(outcome.lost)} of {outcome.published_before} transfers that were published before"
    print(f"\nrecovery point: {lost} are lost{': ' if outcome.lost else ''}{', '.join(outcome.lost[:5])}")
    print(f"paid twice:     {outcome.paid_twice} claims")
    print(f"differences:    {', '.join(f'{count} named by {name}' for name, count in outcome.said.items())}")
    print(
        f"recovery time:  {outcome.away_seconds} s without the database, {outcome.restored.seconds} s of it restoring"
    )
    print(f"whole drill:    {outcome.seconds} s")


if __name__ == "__main__":
    sys.exit(main())
