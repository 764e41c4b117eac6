"""The garbage collector's rounds, made rare: a batch makes thousands of objects, and nearly none of them in rings.

Counting references frees them at once. With Python's own settings the collector came round dozens of times in a batch
of 500 events, and took a fifth of its time (docs/decisions/0012).
"""

import gc
from typing import Final

_NEW_OBJECTS: Final = 50_000
_YOUNG_ROUNDS: Final = 20
_MIDDLE_ROUNDS: Final = 100


def calm() -> None:
    """Let what exists by now (modules, classes, settings) be looked at never again, and what follows seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, _YOUNG_ROUNDS, _MIDDLE_ROUNDS)
