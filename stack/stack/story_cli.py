"""You are at `drawdown story`: on the stack that runs, or on one of its own, with the chapters as they end.

Exit codes: 0 told to its end, 1 it did not go on, 2 wrong usage, 78 wrong configuration, 130 interrupted.
"""

import asyncio
import json

import typer

from stack.flags import HomeFlag, JsonFlag, SeedFlag, out

INTERRUPTED = 130


def story(home: HomeFlag = None, seed: SeedFlag = 1, as_json: JsonFlag = False) -> None:
    """One application from draft to payment: each call, event, move of money and metric, with every term explained.

    On the stack that runs here, else on one that is started for it and removed again.
    Exit codes: 0 told to its end, 1 it did not go on, 2 wrong usage, 78 wrong configuration, 130 interrupted.
    """
    from stack import demo  # noqa: PLC0415  # loads all of the simulators
    from stack.story import play  # noqa: PLC0415

    try:
        with demo.chosen_or_fresh(play.place(home)) as chosen:
            told = asyncio.run(play.tell(chosen, seed, as_json=as_json))
    except (KeyboardInterrupt, asyncio.CancelledError) as error:
        raise typer.Exit(INTERRUPTED) from error
    if as_json:
        out.print_json(json.dumps(told, ensure_ascii=False))
