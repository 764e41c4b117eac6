"""Results: one JSON file per benchmark, ``{"ratios", "figures", "machine"}``, kept in the repository with its plot."""

from pathlib import Path
from typing import Any, Final

import msgspec

DIRECTORY: Final = Path(__file__).parent.parent / "results"


class Ratio(msgspec.Struct, frozen=True):
    """One ratio: what is divided by what, what it must reach and aims at, and what it came to.

    ``at_most``: it must not exceed what it must and aims at, instead of reaching it.
    """

    says: str
    must: float
    aim: float
    value: float
    at_most: bool = False

    @property
    def verdict(self) -> str:
        if self._reaches(self.aim):
            return "aim reached"
        return "reached" if self._reaches(self.must) else "not reached"

    def _reaches(self, wanted: float) -> bool:
        return self.value <= wanted if self.at_most else self.value >= wanted


class Result(msgspec.Struct, frozen=True):
    """What a benchmark found. ``figures`` is for orientation: it holds on its machine, in that hour."""

    ratios: dict[str, Ratio]
    figures: dict[str, dict[str, Any]]
    machine: dict[str, Any]


def write(name: str, result: Result, directory: Path = DIRECTORY) -> Path:
    """Write a benchmark's result; return its path."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    return path


def read(path: Path) -> Result:
    """Return a result; raise msgspec.ValidationError, with the place, when it is none."""
    return msgspec.json.decode(path.read_bytes(), type=Result)


def all_of(directory: Path = DIRECTORY) -> dict[str, Result]:
    """Return every result in a directory, by the benchmark's name."""
    return {path.stem: read(path) for path in sorted(directory.glob("*.json"))}
