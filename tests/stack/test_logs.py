"""All that the logs say of one application, of all components, by time."""

import json
from pathlib import Path
from uuid import UUID

import pytest
from typer.testing import CliRunner

from stack.cli import app
from stack.logs import about

ONE, OTHER = UUID(int=1), UUID(int=2)


def write(folder: Path, name: str, *entries: dict[str, str] | str) -> Path:
    path = folder / "logs" / f"{name}.log"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{entry if isinstance(entry, str) else json.dumps(entry)}\n" for entry in entries))
    return path


def line(second: int, event: str, **more: object) -> dict[str, str]:
    return {"time": f"2026-03-15T08:00:{second:02}Z", "event": event} | {key: str(value) for key, value in more.items()}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write(
        tmp_path, "intake",
        line(1, "announced", application_id=ONE, trace_id="a1"),
        line(2, "announced", application_id=OTHER, trace_id="b1"),
        line(5, "slow", trace_id="a1"),
        line(9, "stopped"),
    )  # fmt: skip
    write(
        tmp_path, "disbursement",
        line(0, "started"),
        line(4, "handled", application_id=ONE, trace_id="a1"),
        f"not json, about {ONE}",
        line(3, "retried", trace_id="a1"),
        line(8, "claimed", application_id=ONE, trace_id="a2"),
    )  # fmt: skip
    write(tmp_path, "metrics", "[1]", "", line(7, "drawn", trace_id="a2"))
    return tmp_path


def told(found: list[tuple[Path, str]]) -> list[tuple[str, str]]:
    return [(path.stem, json.loads(text)["event"] if text.startswith("{") else text) for path, text in found]


def test_lines_that_name_it_and_those_of_its_traces_by_time(home: Path) -> None:
    paths = sorted((home / "logs").glob("*.log"))
    assert told(about(paths, str(ONE))) == [
        ("intake", "announced"),
        ("disbursement", "retried"),
        ("disbursement", "handled"),
        ("disbursement", f"not json, about {ONE}"),
        ("intake", "slow"),
        ("metrics", "drawn"),
        ("disbursement", "claimed"),
    ]
    assert about(paths, str(UUID(int=3))) == []


def test_the_command_prints_them_with_their_component(home: Path) -> None:
    done = CliRunner().invoke(app, ["logs", "--application", str(OTHER), "--home", str(home)])
    assert (done.exit_code, len(done.output.splitlines())) == (0, 1)
    assert done.output.startswith("intake       | {")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["--application", str(ONE), "--follow"], "can't go on"), (["--application", "DD-2026-1"], "not a valid UUID")],
    ids=["follow", "no id"],
)
def test_what_cant_be_is_wrong_usage(arguments: list[str], says: str, home: Path) -> None:
    done = CliRunner().invoke(app, ["logs", *arguments, "--home", str(home)])
    assert done.exit_code == 2
    assert says in done.output
