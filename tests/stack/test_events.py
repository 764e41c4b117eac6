"""`drawdown events` as people use it, against a real service, PostgreSQL and Kafka."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.intake.issuer import serving
from kit.database import Database
from kit.kafka import Producer
from stack.home import Home
from stack.kafka import Kafka
from tests.kit.broker import record_of
from tests.kit.conftest import TOPIC, company, database, database_url, event, eventually, group
from tests.kit.processes import Process
from tests.kit.test_parking import broken

__all__ = ["database", "database_url", "group"]  # fixtures of the kit's tests, which these share

DRAWDOWN = (sys.executable, "-c", "from stack.cli import main; main()", "events")


class Events:
    """The command, with the one service that runs standing in the place of metrics."""

    def __init__(self, home: Home, kafka: Kafka, url: str) -> None:
        places = {"DRAWDOWN_METRICS_URL": url, "DRAWDOWN_KAFKA_BOOTSTRAP": kafka.bootstrap}
        self._environment = {**os.environ, **places, "DRAWDOWN_HOME": str(home.path), "DRAWDOWN_WHO": "li.wei"}

    async def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(
            subprocess.run,
            [*DRAWDOWN, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )

    async def items(self, *arguments: str) -> list[dict[str, object]]:
        """What a command prints as JSON."""
        done = await self(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        found: list[dict[str, object]] = json.loads(done.stdout)
        return found


@pytest.fixture
async def events(home: Home, database: Database, database_url: str, kafka: Kafka, group: str) -> AsyncIterator[Events]:
    settings = {"DATABASE_URL": database_url, "KAFKA_BOOTSTRAP": kafka.bootstrap, "GROUP": group}
    with serving(home) as access, Process("SMALL", ["tests.kit.small"], settings | access) as process:
        await eventually(lambda: process.answers("/health/ready"), 40)
        yield Events(home, kafka, process.url)
        assert await process.stop() == 0


async def park(kafka: Kafka, events: Events, key: str) -> None:
    """Send a poison event and two good ones behind it."""
    poison, *behind = [record_of(event(key, str(number))) for number in range(3)]
    producer = Producer(kafka.bootstrap, "test")
    await producer.start()
    await producer.send([broken(poison, value=b'{"half": '), *behind])
    await producer.stop()

    async def three_wait() -> bool:
        return [item["events"] for item in await events.items("parked", "--service", "metrics")] == [3]

    await eventually(three_wait)


async def test_parked_shown_discarded_and_redriven(events: Events, kafka: Kafka) -> None:
    key, only = company(), ("--service", "metrics")
    await park(kafka, events, key)
    said = (await events("parked", *only)).stdout
    assert f"metrics  {TOPIC} {key}\n    3 events since" in said
    assert "invalid, waits for a person" in said
    first, *_ = await events.items("parked", "show", TOPIC, key, *only)
    assert (first["value"], first["family"]) == ('{"half": ', "invalid")

    dry = await events("redrive", TOPIC, key, *only)
    assert (dry.returncode, "0 would be handled, 3 left" in dry.stdout) == (0, True)
    assert "that was a dry run: --yes does it" in dry.stderr
    unsigned = await events("discard", str(first["id"]), *only, "--yes")
    assert (unsigned.returncode, "--why is missing" in unsigned.stderr) == (2, True)
    tried = await events("redrive", TOPIC, key, *only, "--yes", "--why", "OPS-12")
    assert (tried.returncode, "stopped by: drawdown.recovery.demanded.v1 can't be read" in tried.stdout) == (1, True)

    signed = (*only, "--yes", "--why", "OPS-12: half a file")
    assert (await events("discard", str(first["id"]), *signed)).returncode == 0
    done = await events("redrive", "--all", *signed)
    assert (done.returncode, f"{TOPIC} {key}: 2 handled, 0 left" in done.stdout) == (0, True)
    assert (await events("parked", *only)).stdout == "nothing is parked\n"
    kept = await events.items("audit", *only)
    assert [(entry["who"], entry["action"], entry["handled"]) for entry in kept] == [
        ("li.wei", "redrive", 2),
        ("li.wei", "discard", 1),
        ("li.wei", "redrive", 0),
    ]


async def test_tail_shows_what_is_there_and_what_is_wrong_with_it(events: Events, kafka: Kafka) -> None:
    key = company()
    await park(kafka, events, key)
    shown = await events("tail", TOPIC, "--from-beginning", "--stop-at-end", "--key", key)
    half, first, second = shown.stdout.splitlines()
    assert f" {key} recovery.demanded [" in half
    assert '"reason":"1"' in first
    wanted = ("--key", key, "--type", "recovery.demanded", "--json")
    lines = (await events("tail", TOPIC, "--from-beginning", "--stop-at-end", *wanted)).stdout.splitlines()
    assert [json.loads(line)["fault"] is None for line in lines] == [False, True, True]
    assert json.loads(lines[2])["data"]["reason"] == "2"
    assert second.startswith("2026-03-15T08:00:00.000000Z ")
    unknown = await events("tail", "nothing")
    assert (unknown.returncode, "there is no topic nothing" in unknown.stderr) == (1, True)


async def test_lag_resend_and_reread(events: Events, kafka: Kafka) -> None:
    only = ("--service", "metrics")
    assert "events behind" in (await events("lag", *only)).stdout
    assert {item["lag"] for item in await events.items("lag", *only)} == {0}
    since = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
    assert (
        "0 events of metrics published again (a dry run" in (await events("resend", "metrics", "--since", since)).stdout
    )
    assert f"metrics: 12 partitions of {TOPIC} read again (a dry run" in (await events("reread", TOPIC, *only)).stdout
    nobody = await events("reread", "intake.applications", *only)
    assert (nobody.returncode, "nobody reads intake.applications" in nobody.stderr) == (1, True)


async def test_a_service_that_is_away_is_one_line(events: Events) -> None:
    away = await events("lag", "--service", "intake")
    assert (away.returncode, len(away.stderr.splitlines())) == (1, 1)
    assert "no intake runs" in away.stderr
    assert "choose one of intake" in (await events("lag", "--service", "nobody")).stderr
