"""`python -m contracts.generate [--check | --publish RELEASE]`: write the documents, check them, or publish them."""

import sys
from pathlib import Path

from contracts.generate import (
    REFERENCE,
    ROOT,
    SCHEMAS,
    asyncapi,
    commands,
    policy,
    problems,
    publication,
    reference,
    schemas,
    services,
    settings,
)
from contracts.topics import EVENTS


def documents() -> dict[Path, str]:
    """Return every generated file with its content."""
    return {
        **{SCHEMAS / f"{name}.json": schemas.text(event) for name, event in EVENTS.items()},
        REFERENCE / "asyncapi.yaml": asyncapi.text(),
        REFERENCE / "commands.md": commands.text(),
        REFERENCE / "events.md": reference.text(),
        REFERENCE / "policy.schema.json": policy.text(),
        REFERENCE / "problems.md": problems.text(),
        REFERENCE / "settings.md": settings.text(),
        **{REFERENCE / "openapi" / f"{name}.json": text for name, text in services.openapi().items()},
    }


def out_of_date() -> list[Path]:
    """Return the files that differ from the types, are missing, or belong to no event."""
    wanted = documents()
    differing = [path for path, content in wanted.items() if not path.exists() or path.read_text("utf-8") != content]
    return sorted([*differing, *_stray(wanted)])


def write() -> None:
    """Write what differs and remove what belongs to no event."""
    wanted = documents()
    for path, content in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    for path in _stray(wanted):
        path.unlink()


def _stray(wanted: dict[Path, str]) -> list[Path]:
    return [path for path in SCHEMAS.glob("*.json") if path not in wanted]


def main(arguments: list[str]) -> int:
    """Return the exit code: 0 done or up to date, 1 out of date or breaking, 2 not understood."""
    match arguments:
        case []:
            write()
            return 0
        case ["--check"]:
            stale = [f"{path.relative_to(ROOT)} is not what the types say" for path in out_of_date()]
            return _complain([f"{line}: run python -m contracts.generate" for line in stale] + publication.problems())
        case ["--publish", release]:
            write()
            return _complain(publication.publish(release))
        case _:
            sys.stderr.write("usage: python -m contracts.generate [--check | --publish RELEASE]\n")
            return 2


def _complain(lines: list[str]) -> int:
    sys.stderr.writelines(f"{line}\n" for line in lines)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
