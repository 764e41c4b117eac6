"""The supervisor: starts in order, gives each service only what is its own, heals, reuses, stops, explains."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import asyncpg
import httpx
import pytest

from stack.config import Config, Ports
from stack.errors import StackError
from stack.grants import SERVICES
from stack.home import Home
from stack.processes import Identity
from stack.progress import Step
from stack.state import read
from stack.supervisor import Stack

PARTS = ["postgres", "kafka", "registers", "finance", *SERVICES]


@pytest.fixture(scope="module")
async def running(standins: Mapping[str, str], new_home: Callable[[], Home]) -> AsyncIterator[tuple[Stack, list[Step]]]:
    steps: list[Step] = []
    environment = {**standins, "INTAKE_LOG_LEVEL": "DEBUG", "SIM_RETURNED": "0.5"}
    config = Config(home=new_home(), ports=Ports.free(), companies=100, environment=environment)
    async with Stack(config, listener=steps.append) as stack:
        yield stack, steps


@pytest.fixture
def stack(running: tuple[Stack, list[Step]]) -> Stack:
    return running[0]


async def environment_of(stack: Stack, service: str) -> dict[str, Any]:
    async with httpx.AsyncClient(trust_env=False) as client:
        shown: dict[str, Any] = (await client.get(f"{stack.urls[service]}/environment")).json()
        return shown


async def eventually(true: Callable[[], Awaitable[bool]], timeout_seconds: float = 20) -> None:
    async with asyncio.timeout(timeout_seconds):
        while not await true():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def test_every_part_is_started_and_told(running: tuple[Stack, list[Step]]) -> None:
    _, steps = running
    assert {step.name for step in steps if step.status == "done"} == {*PARTS, "migrations", "topics"}
    assert not [step for step in steps if step.status == "failed"]


def test_the_state_file_names_what_runs(stack: Stack) -> None:
    state = read(stack.config.home)
    assert state is not None
    assert state.ready
    assert {component.name for component in state.components} == set(PARTS)
    assert all(component.identity.is_alive() for component in state.components)


@pytest.mark.parametrize("service", SERVICES)
async def test_each_service_has_its_own_login_only(stack: Stack, service: str) -> None:
    environment = await environment_of(stack, service)
    assert environment[f"{service.upper()}_DATABASE_URL"] == stack.dsn(service)
    logins = {value for value in environment.values() if value.startswith("postgresql://")}
    assert logins == {stack.dsn(service)}


async def test_a_variable_reaches_the_service_that_it_names(stack: Stack) -> None:
    assert (await environment_of(stack, "intake"))["INTAKE_LOG_LEVEL"] == "DEBUG"
    others = await environment_of(stack, "metrics")
    assert not [name for name in others if name.startswith(("INTAKE_", "SIM_"))]


@pytest.mark.parametrize("service", SERVICES)
def test_only_the_migration_gets_the_owner(stack: Stack, service: str) -> None:
    mark = stack.config.home.path / f"migrated-{service}"
    assert mark.read_text() == stack.postgres.owner_dsn(service)


@pytest.mark.parametrize("name", ["intake", "postgres", "kafka"])
async def test_what_is_killed_is_started_again(stack: Stack, name: str) -> None:
    component = stack.components[name]
    before, restarts = component.child.identity, component.restarts

    async def works_again() -> bool:
        return component.child.identity != before and await component.ready() is None

    stack.kill(name)
    await eventually(works_again, 40)
    assert component.restarts == restarts + 1
    assert f"{name} ended by SIGKILL" in stack.config.home.log("supervisor").read_text()


async def test_a_restart_returns_when_the_part_works(stack: Stack) -> None:
    before = stack.components["metrics"].child.identity
    await stack.restart("metrics")
    assert stack.components["metrics"].child.identity != before
    assert await stack.components["metrics"].ready() is None


async def test_a_second_stack_in_the_same_place_is_refused(stack: Stack) -> None:
    with pytest.raises(StackError, match=r"already runs in .* \(pid \d+\): drawdown down"):
        await Stack(Config(home=stack.config.home, ports=Ports.free())).start()
    assert read(stack.config.home) is not None


async def test_a_port_in_use_is_explained(stack: Stack, home: Home) -> None:
    taken = stack.config.ports.intake
    second = Stack(Config(home=home, ports=Ports.free().but({"metrics": taken})))
    with pytest.raises(StackError, match=rf"port {taken} for metrics is in use .*pid \d+.*--metrics-port"):
        await second.start()
    assert read(home) is None


async def test_a_second_start_reuses_the_data(standins: Mapping[str, str], home: Home) -> None:
    def config() -> Config:
        return Config(home=home, ports=Ports.free(), environment=standins)

    async with Stack(config()) as stack:
        await execute(stack.postgres.owner_dsn("intake"), "CREATE TABLE kept AS SELECT 42 AS answer")
        left = [component.child.identity for component in stack.components.values()]
    assert not [identity for identity in left if identity and identity.is_alive()]
    assert read(home) is None

    began = time.monotonic()
    async with Stack(config()) as stack:
        assert time.monotonic() - began < 20
        assert await execute(stack.dsn("intake"), "SELECT answer FROM kept") == 42


async def test_a_failing_migration_stops_everything(standins: Mapping[str, str], home: Home) -> None:
    config = Config(home=home, ports=Ports.free(), environment={**standins, "METRICS_FAILS": "migrate"})
    stack = Stack(config)
    with pytest.raises(StackError, match="metrics-migrate ended with exit code 1: metrics was told to fail"):
        await stack.start()
    assert not stack.components
    assert read(home) is None


async def execute(dsn: str, statement: str) -> Any:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def test_an_identity_is_more_than_a_number() -> None:
    me = Identity.of(os.getpid())
    assert me is not None
    assert me.is_alive()
    assert not replace(me, birth=me.birth - 100).is_alive()
    assert Identity.of(2**22 - 1) is None
