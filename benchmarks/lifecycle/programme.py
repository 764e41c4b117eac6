"""The programme that is measured: the real documents, with sums that millions of lives do not use up.

Ten thousand times the pool and the envelope, a hundred times the cap. No rule is another one.
"""

import shutil
from pathlib import Path
from typing import Any, Final

import yaml

from stack.config import policies_dir

SCHEME: Final = "compute-voucher"
POOL: Final = "ai-package-2025"
_TIMES: Final = 10_000
_CAP_TIMES: Final = 100


def write(directory: Path) -> Path:
    """Write the documents into a directory; return it."""
    directory.mkdir(parents=True)
    for path in policies_dir().glob("*.yaml"):
        shutil.copy(path, directory)
    policy, programme = directory / f"{SCHEME}.yaml", directory / "programme.yaml"
    found = _read(policy)
    _multiply(found, envelope=_TIMES, cap=_CAP_TIMES)
    _write(policy, found)
    found = _read(programme)
    for pool in found["pools"]:
        if pool["pool"] == POOL:
            _multiply(pool, appropriated=_TIMES)
    _write(programme, found)
    return directory


def _multiply(document: dict[str, Any], **times: int) -> None:
    for name, factor in times.items():
        document[name]["amount"] *= factor


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def _write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")
