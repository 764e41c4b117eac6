"""`python -m <service> check`: each fault is made for real, is found, and is told with its cure; nothing is changed."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import time_machine
from alembic import command
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from intake.settings import Settings
from kit import checkup, migrations
from kit.database import async_url
from stack import keyring
from stack.home import Home, open_home
from stack.kafka import Kafka
from stack.ports import free_ports
from stack.postgres import Postgres
from tests import clocks

Found = dict[str, dict[str, str]]


@pytest.fixture
async def database_url(postgres: Postgres) -> AsyncIterator[str]:
    """A database of intake's shape, for one test."""
    name = f"checkup_{uuid4().hex[:8]}"
    superuser = await asyncpg.connect(postgres.superuser_dsn())
    await superuser.execute(f"CREATE DATABASE {name} OWNER intake_owner")
    yield f"{postgres.owner_dsn('intake').rpartition('/')[0]}/{name}"
    await superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await superuser.close()


@pytest.fixture
def issuer() -> Iterator[str]:
    with clocks.server() as url:
        yield url


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = open_home(tmp_path)
    keyring.create(home)
    return home


@pytest.fixture
def settings(database_url: str, kafka: Kafka, issuer: str, home: Home) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "KAFKA_BOOTSTRAP": kafka.bootstrap,
        "KEYRING_FILE": str(home.keyring_file),
        "ACCESS_ISSUER": "https://issuer.invalid",
        "ACCESS_JWKS_URL": issuer,
    }


async def check(settings: dict[str, str]) -> tuple[int, Found, str]:
    """Run it as its operator does: the exit code, what it found, what it complained of."""

    def run() -> "subprocess.CompletedProcess[str]":
        environment = {**os.environ, **{f"INTAKE_{name}": value for name, value in settings.items()}}
        return subprocess.run(
            [sys.executable, "-m", "intake", "check"], env=environment, capture_output=True, text=True, check=False
        )

    done = await asyncio.to_thread(run)
    found: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    return done.returncode, {finding["check"]: finding for finding in found}, done.stderr


def ill(found: Found) -> dict[str, str]:
    """What is wrong, each with a reason and a cure."""
    wrong = {name: finding["what"] for name, finding in found.items() if finding["status"] == "wrong"}
    assert all(found[name]["why"] and found[name]["mend"] for name in wrong)
    return wrong


async def test_all_is_well_where_all_is_there(settings: dict[str, str]) -> None:
    await migrations.upgrade("intake", settings["DATABASE_URL"])
    code, found, complaints = await check(settings)
    assert (code, complaints) == (0, "")
    assert {finding["status"] for finding in found.values()} == {"well"}
    looks = {"database", "database clock", "migrations", "brokers", "topics", "keyring", "issuer", "issuer's clock"}
    assert found.keys() == looks


async def test_a_database_at_an_older_revision(settings: dict[str, str]) -> None:
    def to_the_first(connection: Connection) -> None:
        config = migrations.configuration("intake")
        config.attributes["connection"] = connection
        command.upgrade(config, "+1")

    engine = create_async_engine(async_url(settings["DATABASE_URL"]))
    async with engine.begin() as connection:
        await connection.run_sync(to_the_first)
    await engine.dispose()
    code, found, _ = await check(settings)
    assert code == 1
    assert ill(found).keys() == {"migrations"}
    assert migrations.head("intake") in found["migrations"]["what"]
    assert "python -m intake migrate" in found["migrations"]["mend"]


async def test_a_database_that_nobody_migrated(settings: dict[str, str]) -> None:
    code, found, _ = await check(settings)
    assert (code, set(ill(found))) == (1, {"migrations"})


async def test_a_database_that_does_not_answer_is_named_without_its_password(settings: dict[str, str]) -> None:
    [port] = free_ports(1)
    settings["DATABASE_URL"] = f"postgresql://intake:geheim@127.0.0.1:{port}/intake"
    code, found, complaints = await check(settings)
    assert (code, set(ill(found))) == (1, {"database"})
    assert f"127.0.0.1:{port}/intake" in found["database"]["what"]
    assert "geheim" not in json.dumps(found) + complaints
    assert found["migrations"]["status"] == "unknown"


async def test_a_broker_that_is_stopped(settings: dict[str, str]) -> None:
    await migrations.upgrade("intake", settings["DATABASE_URL"])
    [port] = free_ports(1)
    code, found, _ = await check({**settings, "KAFKA_BOOTSTRAP": f"127.0.0.1:{port}"})
    assert (code, set(ill(found))) == (1, {"brokers"})
    assert f"127.0.0.1:{port} does not answer" in found["brokers"]["what"]
    assert "INTAKE_KAFKA_BOOTSTRAP" in found["brokers"]["mend"]


async def test_a_broker_that_takes_calls_and_does_not_answer(settings: dict[str, str]) -> None:
    await migrations.upgrade("intake", settings["DATABASE_URL"])
    with socket.create_server(("127.0.0.1", 0)) as silent:
        code, found, _ = await check({**settings, "KAFKA_BOOTSTRAP": f"127.0.0.1:{silent.getsockname()[1]}"})
    assert (code, set(ill(found))) == (1, {"brokers"})


async def test_a_keyring_that_everybody_reads_and_one_that_is_gone(settings: dict[str, str], home: Home) -> None:
    await migrations.upgrade("intake", settings["DATABASE_URL"])
    home.keyring_file.chmod(0o644)
    code, found, _ = await check(settings)
    assert (code, set(ill(found))) == (1, {"keyring"})
    home.keyring_file.unlink()
    code, found, _ = await check(settings)
    assert (code, set(ill(found))) == (1, {"keyring"})
    assert "can't be read" in found["keyring"]["what"]


async def test_an_issuer_whose_clock_is_a_minute_ahead(settings: dict[str, str]) -> None:
    await migrations.upgrade("intake", settings["DATABASE_URL"])
    with clocks.server(ahead_seconds=60) as url:
        code, found, _ = await check({**settings, "ACCESS_JWKS_URL": url})
    assert (code, set(ill(found))) == (1, {"issuer's clock"})
    assert "s behind that of the issuer" in found["issuer's clock"]["what"]


async def test_our_own_clock_is_a_minute_off_the_databases(
    settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process believes in another time, as on a machine whose clock was set wrong; PostgreSQL's is right."""
    await migrations.upgrade("intake", settings["DATABASE_URL"])
    for name, value in settings.items():
        monkeypatch.setenv(f"INTAKE_{name}", value)
    for ahead, said in ((60, "60 s ahead of"), (-60, "60 s behind")):
        with time_machine.travel(time.time() + ahead):
            found = {each.check: each async for each in checkup.findings("intake", Settings())}
        assert found["database clock"].status == "wrong"
        assert said in found["database clock"].what
        assert "NTP" in found["database clock"].mend


async def test_a_setting_that_is_missing_is_one_line(settings: dict[str, str]) -> None:
    del settings["DATABASE_URL"]
    code, found, complaint = await check(settings)
    assert (code, found) == (78, {})
    assert complaint.startswith("intake: INTAKE_DATABASE_URL: ")
    assert complaint.count("\n") == 1
