"""`python -m contracts.generate [--check]`: write the published documents, or say which of them are out of date."""

import sys
from pathlib import Path

from contracts.generate import REFERENCE, ROOT, SCHEMAS, asyncapi, reference, schemas
from contracts.topics import EVENTS


def documents() -> dict[Path, str]:
    """Return every generated file with its content."""
    return {
        **{SCHEMAS / f"{name}.json": schemas.text(event) for name, event in EVENTS.items()},
        REFERENCE / "asyncapi.yaml": asyncapi.text(),
        REFERENCE / "events.md": reference.text(),
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
    """Return the exit code: 0 done or up to date, 1 out of date, 2 not understood."""
    match arguments:
        case []:
            write()
            return 0
        case ["--check"]:
            stale = out_of_date()
            for path in stale:
                sys.stderr.write(
                    f"{path.relative_to(ROOT)} is not what the types say: run python -m contracts.generate\n"
                )
            return 1 if stale else 0
        case _:
            sys.stderr.write("usage: python -m contracts.generate [--check]\n")
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
