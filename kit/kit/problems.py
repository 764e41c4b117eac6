"""What every service may answer: the codes of kit, described in problems.toml beside this file."""

from pathlib import Path
from typing import Final

from contracts import problem

PROBLEMS: Final = problem.read(Path(__file__).with_suffix(".toml"))
