"""`python -m deploy.grafana [--check]`: write the dashboards and their page, or say which differ from the boards."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.grafana import reference, render
from deploy.grafana.boards import BOARDS

ROOT: Final = Path(__file__).parents[2]
PROMETHEUS: Final = ROOT / "deploy" / "prometheus"
DASHBOARDS: Final = Path(__file__).parent / "dashboards"
PAGE: Final = ROOT / "docs" / "reference" / "dashboards.md"


def documents() -> dict[Path, str]:
    """Return every generated file with its content."""
    pages = dict(_pages())
    runbooks = _read(PROMETHEUS / "prometheus.yml")["global"]["external_labels"]["runbooks"]
    boards = {DASHBOARDS / f"{board.uid}.json": render.text(board, pages, runbooks) for board in BOARDS}
    return {**boards, PAGE: reference.text(BOARDS)}


def _pages() -> Iterator[tuple[str, str]]:
    """Yield each alert with its page: its own link, from the folder of the runbooks on."""
    for path in sorted((PROMETHEUS / "rules").glob("alerts-*.yaml")):
        for group in _read(path)["groups"]:
            for rule in group["rules"]:
                yield rule["alert"], rule["annotations"]["runbook_url"].rpartition("/")[2]


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


def _stray(wanted: dict[Path, str]) -> list[Path]:
    return [path for path in DASHBOARDS.glob("*.json") if path not in wanted]


def out_of_date() -> list[Path]:
    """Return the files that differ from the boards, are missing, or belong to no board."""
    wanted = documents()
    differing = [path for path, content in wanted.items() if not path.exists() or path.read_text("utf-8") != content]
    return sorted([*differing, *_stray(wanted)])


def write() -> None:
    """Write every document and remove what belongs to no board."""
    wanted = documents()
    for path, content in wanted.items():
        path.write_text(content, "utf-8")
    for path in _stray(wanted):
        path.unlink()


def main(arguments: list[str]) -> int:
    """Return the exit code: 0 done or up to date, 1 out of date, 2 not understood."""
    match arguments:
        case []:
            write()
            return 0
        case ["--check"]:
            stale = [path.relative_to(ROOT) for path in out_of_date()]
            lines = [f"{path} is not what the boards say: run python -m deploy.grafana" for path in stale]
            sys.stderr.writelines(f"{line}\n" for line in lines)
            return 1 if lines else 0
        case _:
            sys.stderr.write("usage: python -m deploy.grafana [--check]\n")
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
