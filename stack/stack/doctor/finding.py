"""You are at what one look of the doctor's came to."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["well", "wrong", "unknown"]


@dataclass(frozen=True)
class Finding:
    """`what` was found. Of what is wrong also `why` it matters, and what mends it: mostly a command to paste."""

    check: str
    status: Status
    what: str
    why: str = ""
    mend: str = ""


def well(check: str, what: str) -> Finding:
    """Nothing to do."""
    return Finding(check, "well", what)


def wrong(check: str, what: str, *, why: str, mend: str) -> Finding:
    """Something to mend."""
    return Finding(check, "wrong", what, why, mend)


def unknown(check: str, what: str) -> Finding:
    """It could not be looked at; `what` says for which reason."""
    return Finding(check, "unknown", what)
