"""What was published: for each release its schemas and examples, kept for ever, because its events are.

A topic may hold events of any release. So today's code reads the examples of them all, and today's schemas break none.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec

from contracts.codec import UnknownEventTypeError, decode
from contracts.generate import EXAMPLES, PUBLISHED, schemas
from contracts.generate.compatibility import breaking_changes
from contracts.topics import EVENTS


def publish(release: str) -> list[str]:
    """Keep today's schemas and examples as a release; return what stands against it, and then keep nothing."""
    against = problems()
    place = PUBLISHED / release
    if place.exists():
        against.append(f"{place.name} was published before, and what was published never changes")
    if not against:
        for name, event in EVENTS.items():
            (place / "schemas").mkdir(parents=True, exist_ok=True)
            (place / "schemas" / f"{name}.json").write_text(schemas.text(event), "utf-8")
        shutil.copytree(EXAMPLES, place / "examples")
    return against


def problems() -> list[str]:
    """Return everything in today's code that a published event or its readers would stumble over."""
    return [
        problem
        for release in sorted(PUBLISHED.glob("*/"))
        for problem in [*_broken_schemas(release), *_unread_examples(release)]
    ]


def _broken_schemas(release: Path) -> list[str]:
    found = []
    for path in sorted((release / "schemas").glob("*.json")):
        if path.stem not in EVENTS:
            found.append(f"{path.stem}, published in {release.name}, is no event of the contract any more")
            continue
        today = schemas.schema(EVENTS[path.stem])
        found += [
            f"{path.stem}, published in {release.name}: {change}. A breaking change is a new version beside the old"
            for change in breaking_changes(_read(path), today)
        ]
    return found


def _unread_examples(release: Path) -> list[str]:
    found = []
    for path in sorted((release / "examples").glob("*.json")):
        try:
            decode(path.stem, path.read_bytes())
        except (UnknownEventTypeError, msgspec.MsgspecError) as error:
            found.append(f"the example of {path.stem} in {release.name} can't be read any more: {error}")
    return found


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content
