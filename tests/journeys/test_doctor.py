"""`drawdown doctor` beside a running system: it is well, until a part of it is not."""

import asyncio
import json
import os
import signal
import subprocess
import sys

import httpx

from stack.supervisor import Stack
from tests.kit.conftest import eventually


async def examined(system: Stack) -> tuple[int, dict[str, dict[str, str]]]:
    command = [sys.executable, "-c", "from stack.cli import main; main()", "doctor", "--json"]
    environment = {**os.environ, "DRAWDOWN_HOME": str(system.config.home.path)}
    done = await asyncio.to_thread(
        subprocess.run, command, env=environment, capture_output=True, text=True, check=False, timeout=180
    )
    assert done.stdout, done.stderr
    return done.returncode, {finding["check"]: finding for finding in json.loads(done.stdout)["findings"]}


async def test_a_running_system_is_well(system: Stack) -> None:
    code, found = await examined(system)
    assert {name: each for name, each in found.items() if each["status"] == "wrong"} == {}
    assert code == 0
    assert {"components", "services' clocks", "leftovers", "brokers: all services"} <= found.keys()
    assert any(name.startswith("migrations: ") and "disbursement" in name for name in found)


async def test_a_broker_that_hangs_is_found(system: Stack) -> None:
    broker = system.components["kafka"].child.identity
    assert broker is not None
    broker.send(signal.SIGSTOP)  # it has its port still, and answers nothing, as on a machine that is out of memory
    try:
        code, found = await examined(system)
    finally:
        broker.send(signal.SIGCONT)
    wrong = {name for name, each in found.items() if each["status"] == "wrong"}
    assert code == 1
    assert "brokers: all services" in wrong
    assert "events wait in the outboxes" in found["brokers: all services"]["why"]
    async with httpx.AsyncClient(trust_env=False) as client:
        await eventually(lambda: _ready(client, system.urls["intake"]), 60)


async def _ready(client: httpx.AsyncClient, url: str) -> bool:
    return (await client.get(f"{url}/health/ready")).status_code == httpx.codes.OK
