"""Every `drawdown` command says how it ends and what it takes, and prints JSON when asked to."""

import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest
import typer.main

from stack import reference
from stack.cli import app
from stack.home import Home

COMMANDS = {name: (command, codes) for name, command, codes in reference.leaves(typer.main.get_command(app))}
DRAWDOWN = (sys.executable, "-c", "from stack.cli import main; main()")


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_prints_json_or_says_why_not(name: str) -> None:
    command, _ = COMMANDS[name]
    assert reference.has_json(command) != (name in reference.PRINTS_ITS_OWN)


def test_the_exceptions_are_commands() -> None:
    assert COMMANDS.keys() >= reference.PRINTS_ITS_OWN.keys()


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_says_how_it_ends_and_what_each_flag_is(name: str) -> None:
    command, codes = COMMANDS[name]
    said = f"{command.help or command.callback.__doc__} {codes}"
    assert "Exit code" in said
    assert [each.name for each in command.params if not each.help] == []


def run(home: Home, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "DRAWDOWN_HOME": str(home.path)}
    return subprocess.run([*DRAWDOWN, *arguments], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (("token", "--scope", "finance", "--json"), {"access_token", "token_type", "expires_in", "scope"}),
        (("down", "--json"), {"components", "seconds"}),
        (("policies", "validate", "policies", "--json"), {"right", "wrong"}),
    ],
)
def test_json_is_all_that_is_printed(home: Home, arguments: tuple[str, ...], keys: set[str]) -> None:
    done = run(home, *arguments)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found.keys() == keys


def test_a_wrong_document_is_told_as_json_too(home: Home) -> None:
    document = home.path / "wrong.yaml"
    document.write_text("scheme: [")
    done = run(home, "policies", "validate", str(document), "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["right"]) == (1, [])
    assert str(document) in found["wrong"][0] or "wrong.yaml" in found["wrong"][0]


def test_logs_are_lines_of_json(home: Home) -> None:
    home.log("intake").write_text('{"event": "ready"}\n')
    done = run(home, "logs", "--json")
    assert json.loads(done.stdout) == {"component": "intake", "line": '{"event": "ready"}'}


def test_an_archive_that_is_not_named_is_a_wrong_configuration(home: Home) -> None:
    done = run(home, "restore", "disbursement", "--yes")
    assert (done.returncode, done.stderr) == (
        78,
        "drawdown: no archive is named: --archive DIRECTORY, or DRAWDOWN_ARCHIVE\n",
    )


def test_ctrl_c_is_130(home: Home) -> None:
    home.log("intake").write_text("one line\n")
    environment = {**os.environ, "DRAWDOWN_HOME": str(home.path)}
    with subprocess.Popen([*DRAWDOWN, "logs", "-f"], env=environment, stdout=subprocess.PIPE, text=True) as following:
        try:
            assert following.stdout is not None
            assert "one line" in following.stdout.readline()
            following.send_signal(signal.SIGINT)
            assert following.wait(20) == 130
        finally:
            following.kill()  # or the block would wait for it for ever
