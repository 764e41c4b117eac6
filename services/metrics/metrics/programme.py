"""The part of the programme's file that metrics reads: names of pools and districts, what was promised to reach."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import msgspec
import yaml

from contracts.codec import to_builtins
from contracts.common import Text
from kit.errors import SetupError
from metrics.rules.tallies import MEASURE, OUTCOME, Tally


class NamedPool(msgspec.Struct, frozen=True):
    """A pool and its name. What was appropriated to it comes from the ledger, not from here."""

    pool: str
    name: Text


class NamedDistrict(msgspec.Struct, frozen=True):
    """A district, as applications have it, and its name."""

    district: str
    name: Text


class Measured(msgspec.Struct, frozen=True):
    """A whole number that applications of a scheme state in ``request.details``, added up over what was awarded."""

    scheme: str
    detail: str


class Target(msgspec.Struct, frozen=True):
    """A target of the programme.

    The actual is ``known`` (reported by hand, zero where nothing was) plus the awards of the scheme ``awards_of``, or
    plus what ``sum_of`` adds up.
    """

    target: str
    name: Text
    value: int
    by: date
    unit: str | None = None
    known: int = 0
    awards_of: str | None = None
    sum_of: Measured | None = None

    def actual(self, tallies: Mapping[Tally, int]) -> int:
        """Return what is reached so far."""
        actual = self.known
        if self.awards_of is not None:
            actual += tallies.get((OUTCOME, self.awards_of, "awarded"), 0)
        if self.sum_of is not None:
            actual += tallies.get((MEASURE, self.sum_of.scheme, self.sum_of.detail), 0)
        return actual


class Programme(msgspec.Struct, frozen=True):
    """The programme's file, as far as metrics is concerned. Without a file: no names, no targets."""

    title: Text | None = None
    pools: tuple[NamedPool, ...] = ()
    districts: tuple[NamedDistrict, ...] = ()
    targets: tuple[Target, ...] = ()

    def name_of(self, pool: str) -> dict[str, str] | None:
        """Return the pool's name by language, None for a pool that the file does not know."""
        names = {known.pool: known.name for known in self.pools}
        return to_builtins(names[pool]) if pool in names else None


def read(path: Path | None) -> Programme:
    """Return the programme; raise SetupError with the file and the field that is wrong."""
    if path is None:
        return Programme()
    try:
        return msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), Programme)
    except OSError as error:
        raise SetupError(f"can't read {path} ({error.strerror}): set METRICS_PROGRAMME_FILE") from error
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise SetupError(f"{path}: {' '.join(str(error).split())}") from error
