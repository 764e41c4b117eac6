"""What the services say of themselves. Each is a program of its own, and is asked as one: nothing is imported."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import msgspec

from contracts import problem
from contracts.generate import ROOT
from contracts.problem import Problem
from contracts.topics import SERVICES

_NAMES = sorted(SERVICES)


@cache
def settings() -> dict[str, list[dict[str, Any]]]:
    """Return what each service says of its settings: what `python -m <service> settings` prints."""
    with ThreadPoolExecutor() as pool:
        return dict(
            zip(_NAMES, pool.map(lambda name: msgspec.json.decode(_said(name, "settings")), _NAMES), strict=True)
        )


@cache
def openapi() -> dict[str, str]:
    """Return each service's OpenAPI document as it stands in its file: what `python -m <service> openapi` prints."""
    with ThreadPoolExecutor() as pool:
        return dict(zip(_NAMES, pool.map(_openapi, _NAMES), strict=True))


def _openapi(service: str) -> str:
    return msgspec.json.format(_said(service, "openapi"), indent=1).decode() + "\n"


def _said(service: str, verb: str) -> bytes:
    asked = [sys.executable, "-m", service, verb]
    return subprocess.run(asked, check=True, stdout=subprocess.PIPE).stdout  # noqa: S603  # our own programs


def problems() -> dict[str, dict[str, Problem]]:
    """Return the problems that every service may answer, under `kit`, and each service's own."""
    places = {"kit": ROOT / "kit" / "kit"} | {name: ROOT / "services" / name / name for name in _NAMES}
    return {name: problem.read(place / "problems.toml") for name, place in places.items()}
