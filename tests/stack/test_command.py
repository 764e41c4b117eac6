"""The `drawdown` command as people use it: its own processes, its exit codes, its one-line complaints."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from stack.home import Home
from stack.ports import free_ports
from stack.state import State, read

PARTS = {"postgres", "kafka", "registers", "finance", "intake", "eligibility", "disbursement", "metrics"}
DRAWDOWN = (sys.executable, "-c", "from stack.cli import main; main()")


class Command:
    """`drawdown` in one data directory, with stand-ins for the services."""

    def __init__(self, home: Home, environment: Mapping[str, str]) -> None:
        self.home = home
        self.environment = {**environment, "DRAWDOWN_HOME": str(home.path)}

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*DRAWDOWN, *arguments], env=self.environment, capture_output=True, text=True, check=False, timeout=90
        )

    def begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        quiet = subprocess.DEVNULL
        return subprocess.Popen([*DRAWDOWN, *arguments], env=self.environment, stdout=quiet, stderr=quiet)


@pytest.fixture
def drawdown(home: Home, standins: Mapping[str, str]) -> Iterator[Command]:
    command = Command(home, standins)
    yield command
    state = read(home)
    command("down")
    assert not still_running(state)


def still_running(state: State | None) -> list[str]:
    return [component.name for component in state.components if component.identity.is_alive()] if state else []


def until(true: Any, timeout_seconds: float = 20) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


def test_up_status_logs_down(drawdown: Command) -> None:
    up = drawdown("up", "--free-ports", "--json")
    assert up.returncode == 0, up.stderr
    addresses = json.loads(up.stdout)
    assert set(addresses) == {*PARTS, "home"}
    assert re.search(r"kafka +ready \(\d", up.stderr)  # progress, in plain lines where there is no terminal

    status = drawdown("status", "--json")
    assert status.returncode == 0
    assert {part["name"] for part in json.loads(status.stdout) if part["healthy"]} == PARTS
    assert "intake" in drawdown("status").stdout

    assert drawdown("token", "--scope", "finance").returncode == 0
    keys = httpx.get(f"{addresses['registers']}/.well-known/jwks.json", trust_env=False).json()
    assert keys == json.loads(drawdown.home.jwks_file.read_text())

    assert "all is ready" in drawdown("logs", "supervisor").stdout
    unknown = drawdown("logs", "nobody")
    assert (unknown.returncode, "there are: disbursement" in unknown.stderr) == (1, True)

    again = drawdown("up", "--free-ports")
    assert again.returncode == 1
    assert re.fullmatch(r"drawdown: a stack already runs in .* \(pid \d+\): drawdown down\n", again.stderr)

    state = read(drawdown.home)
    down = drawdown("down")
    assert (down.returncode, "intake" in down.stdout) == (0, True)
    assert not still_running(state)
    assert "nothing runs here" in drawdown("down").stdout
    assert drawdown("status").returncode == 1


def test_a_killed_supervisor_takes_all_with_it_and_is_cleaned_up(drawdown: Command) -> None:
    assert drawdown("up", "--free-ports", "--json").returncode == 0
    state = read(drawdown.home)
    assert state is not None
    state.supervisor.send(signal.SIGKILL)
    until(lambda: not still_running(state))
    assert json.loads(drawdown("status", "--json").stdout)[0]["trouble"] == "dead"

    again = drawdown("up", "--free-ports", "--json")
    assert again.returncode == 0, again.stderr


def test_ctrl_c_while_starting_stops_what_was_started(drawdown: Command) -> None:
    starting = drawdown.begin("up", "--free-ports")
    until(lambda: (state := read(drawdown.home)) is not None and state.components)
    state = read(drawdown.home)
    starting.send_signal(signal.SIGINT)
    assert starting.wait(60) == 130
    assert not still_running(state)
    assert read(drawdown.home) is None


def test_sigterm_stops_a_stack_in_the_foreground(drawdown: Command) -> None:
    foreground = drawdown.begin("up", "--free-ports", "--foreground")
    until(lambda: (state := read(drawdown.home)) is not None and state.ready, 60)
    state = read(drawdown.home)
    foreground.send_signal(signal.SIGTERM)
    assert foreground.wait(60) == 0
    assert not still_running(state)


def test_a_taken_port_is_one_line(drawdown: Command) -> None:
    [port] = free_ports(1)
    with socket.create_server(("127.0.0.1", port)):
        up = drawdown("up", "--free-ports", "--kafka-port", str(port))
    assert up.returncode == 1
    expected = rf"drawdown: port {port} for kafka is in use.*pid {os.getpid()}.*: stop that, or choose another.*\n"
    assert re.fullmatch(expected, up.stderr)


@pytest.mark.parametrize(
    ("arguments", "variables", "exit_code", "complaint"),
    [
        (["up", "--intake-port", "0"], {}, 2, "--intake-port"),
        (["up", "--intake-port", "8002"], {}, 78, "intake and eligibility can't share port 8002"),
        (["up"], {"DRAWDOWN_HOME": "/dev/null/x"}, 1, "can't write to /dev/null/x: Not a directory; choose another"),
        (["up", "--free-ports"], {"DRAWDOWN_POLICIES": "/nowhere"}, 78, "/nowhere has no programme.yaml: set"),
        (["pools"], {}, 1, "no metrics runs in"),
        (["kafka-console-consumer", "intake.applications"], {}, 1, "no kafka runs in"),
        (["kafka-console-producer", "finance.payment-status"], {}, 1, "no kafka runs in"),
    ],
)
def test_complaints(
    home: Home, arguments: list[str], variables: dict[str, str], exit_code: int, complaint: str
) -> None:
    done = Command(home, {**os.environ, "COLUMNS": "200"})
    done.environment.update(variables)
    result = done(*arguments)
    assert result.returncode == exit_code
    assert complaint in result.stderr
    assert "Traceback" not in result.stderr


def test_half_a_state_file_is_explained(home: Home) -> None:
    home.state_file.write_text("{")
    result = Command(home, os.environ)("status")
    assert result.returncode == 1
    assert "state.json can't be read" in result.stderr
