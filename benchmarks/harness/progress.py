"""What a person who waits sees: which part runs, and since when."""

import sys
import time

_began = time.monotonic()


def say(what: str) -> None:
    """Print a line with the seconds since the start, to standard error: results are elsewhere."""
    print(f"{time.monotonic() - _began:7.1f} s  {what}", file=sys.stderr, flush=True)
