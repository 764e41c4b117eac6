"""A collector that is dead, or never answers, hurts nobody: the work goes on, and spans are counted as lost."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from secrets import token_hex

import pytest
from prometheus_client.parser import text_string_to_metric_families

from kit.database import Database
from stack.kafka import Kafka
from stack.ports import free_ports
from tests.kit.broker import record_of, send
from tests.kit.collector import Collector, environment
from tests.kit.conftest import company, event, eventually
from tests.kit.processes import Process
from tests.kit.test_service import STOPPED_WITHIN_SECONDS, handled

EVENTS = 300
HELD = 50


@pytest.fixture
def settings(database: Database, database_url: str, kafka: Kafka, group: str) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "KAFKA_BOOTSTRAP": kafka.bootstrap,
        "GROUP": group,
        "CONSUMER_MAX_BATCH_EVENTS": "10",
    }


def small(settings: dict[str, str], url: str, patience_seconds: int = 10) -> Process:
    """The service, with a queue that is soon full; it waits so long for the collector's answer."""
    traced = environment(url) | {"OTEL_EXPORTER_OTLP_TIMEOUT": str(patience_seconds)}
    traced |= {"OTEL_BSP_MAX_QUEUE_SIZE": str(HELD), "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "10"}
    return Process("SMALL", ["tests.kit.small"], settings, traced)


@pytest.fixture
def silent() -> Iterator[str]:
    """A port that takes connections, as its kernel does, and never says anything."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=100)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def refused() -> str:
    """A port that nobody listens on."""
    [port] = free_ports(1)
    return f"http://127.0.0.1:{port}"


async def load(kafka: Kafka) -> None:
    """Events that are all to be recorded, each in a trace of its own."""
    traces = [f"00-{token_hex(16)}-{token_hex(8)}-01" for _ in range(EVENTS)]
    await send(kafka.bootstrap, [record_of(event(company()), traceparent=trace) for trace in traces])


async def lost(process: Process) -> dict[str, float]:
    """How many spans were lost, by reason."""
    text = (await process.get("/metrics")).text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {each.labels["reason"]: each.value for each in samples if each.name == "drawdown_spans_dropped_total"}


async def test_where_nobody_listens(settings: dict[str, str], database: Database, kafka: Kafka, refused: str) -> None:
    with small(settings, refused) as process:
        await eventually(lambda: process.answers("/health/ready"), 40)
        await load(kafka)
        await eventually(lambda: all_handled(database))
        await eventually(lambda: both_lost(process), 30)
        began = time.monotonic()
        assert await process.stop() == 0
        assert time.monotonic() - began < STOPPED_WITHIN_SECONDS
        [away] = process.logged("collector_away")  # once, not with each call
        assert "Connection refused" in away["reason"]
        [stopped] = process.logged("stopped")
        assert stopped["clean"] is True


async def all_handled(database: Database) -> bool:
    return await handled(database) == EVENTS


async def both_lost(process: Process) -> bool:
    found = await lost(process)
    return found["queue_full"] > 0 and found["collector"] > 0


async def test_where_nobody_answers(settings: dict[str, str], database: Database, kafka: Kafka, silent: str) -> None:
    with small(settings, silent, 600) as process:
        await eventually(lambda: process.answers("/health/ready"), 40)
        await load(kafka)
        await eventually(lambda: all_handled(database))
        assert (await lost(process))["queue_full"] >= EVENTS - HELD, "no more are held than were allowed"
        began = time.monotonic()
        assert await process.stop() == 0
        assert time.monotonic() - began < STOPPED_WITHIN_SECONDS
        [left] = process.logged("spans_left_behind")
        assert left["spans"] == HELD
        [stopped] = process.logged("stopped")
        assert stopped["clean"] is True


async def test_a_collector_that_is_there_gets_all_before_the_process_ends(
    settings: dict[str, str], database: Database, kafka: Kafka
) -> None:
    with Collector() as collector, small(settings, collector.url) as process:
        await eventually(lambda: process.answers("/health/ready"), 40)
        await send(kafka.bootstrap, [record_of(event(company()), traceparent=f"00-{'a' * 32}-{'b' * 16}-01")])
        await eventually(lambda: one_handled(database))
        assert await process.stop() == 0
        [span] = [span for span in collector.spans if span.trace_id == "a" * 32]
        assert (span.service, span.parent_id) == ("small", "b" * 16)
        assert process.logged("spans_left_behind") == []
        [line] = process.logged("event_handled")
        assert (line["trace_id"], line["span_id"]) == (span.trace_id, span.span_id)
        assert line["application_id"] == span.attributes["application_id"]


async def one_handled(database: Database) -> bool:
    return await handled(database) == 1
