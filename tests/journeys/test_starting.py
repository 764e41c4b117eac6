"""A service whose PostgreSQL or Kafka is not there says so, keeps trying, and stops when it is told to."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from kit import migrations
from stack import keyring
from stack.home import Home
from stack.ports import free_ports
from stack.postgres import Postgres

NOWHERE = "127.0.0.1:9"  # the discard port: nothing listens there


@pytest.fixture(autouse=True)
def keys(stack_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A keyring, so that it is not the missing one that is told."""
    keyring.create(stack_home)
    monkeypatch.setenv("INTAKE_KEYRING_FILE", str(stack_home.keyring_file))


@asynccontextmanager
async def running(database_url: str, kafka: str) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    [port] = free_ports(1)
    environment = {
        **os.environ,
        "INTAKE_DATABASE_URL": database_url,
        "INTAKE_KAFKA_BOOTSTRAP": kafka,
        "INTAKE_HTTP_PORT": str(port),
        "INTAKE_LOG_FORMAT": "json",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "intake", "run", env=environment, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.communicate()


async def missing_parts(url: str, part: str) -> dict[str, Any]:
    """Wait until the service answers and names ``part`` as missing; return all that is missing."""
    async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(30):
        while True:
            try:
                response = await client.get(f"{url}/health/ready")
            except httpx.ConnectError:
                await asyncio.sleep(0.1)  # the process is still starting
                continue
            missing: dict[str, Any] = response.json()["missing"]
            if "waits" in missing.get(part, "") or "PostgreSQL" in missing.get(part, ""):
                assert response.status_code == 503
                assert (await client.get(f"{url}/health/live")).status_code == 200
                return missing
            await asyncio.sleep(0.1)


async def test_without_postgresql_it_says_so_and_retries(kafka: Any) -> None:
    async with running(f"postgresql://intake:x@{NOWHERE}/intake", kafka.bootstrap) as (url, process):
        missing = await missing_parts(url, "service")

        assert missing["service"].startswith("PostgreSQL:")
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 15) == 0


async def test_without_kafka_it_says_so_and_retries(postgres: Postgres) -> None:
    await migrations.upgrade("intake", postgres.owner_dsn("intake"))
    async with running(postgres.dsn("intake"), NOWHERE) as (url, process):
        missing = await missing_parts(url, "consumer")

        assert "consumer" in missing
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 25) == 0


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("INTAKE_DATABASE_URL", "mysql://x", "INTAKE_DATABASE_URL: value error, must begin with postgresql://"),
        ("INTAKE_HTTP_PORT", "eighty", "INTAKE_HTTP_PORT: input should be a valid integer"),
        ("INTAKE_KAFKA_BOOTSTRAP", None, "INTAKE_KAFKA_BOOTSTRAP: field required"),
    ],
)
async def test_a_wrong_setting_is_one_line_and_exit_code_78(name: str, value: str | None, says: str) -> None:
    settings = {"INTAKE_DATABASE_URL": "postgresql://x", "INTAKE_KAFKA_BOOTSTRAP": NOWHERE} | {name: value}
    environment = os.environ | {key: text for key, text in settings.items() if text is not None}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "intake", "run", env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()

    assert process.returncode == 78
    [line] = errors.decode().splitlines()
    assert says in line
