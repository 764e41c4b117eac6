"""The benchmark of steadiness: a quick run is whole, quarters are what they are said to be, a stream goes on."""

import asyncio
import sys
from pathlib import Path

import msgspec
import pytest
from aiokafka import TopicPartition

from benchmarks.harness import results
from benchmarks.harness.openloop import latencies_of
from benchmarks.lifecycle.stream import Stream
from benchmarks.steady.quarters import by_part, memory, quarters, ratios, worst_dead
from benchmarks.steady.report import check_room
from benchmarks.steady.watch import Look, Table, behind
from stack.grants import SERVICES
from stack.ports import LOOPBACK

ROOT = Path(__file__).parents[2]
RATIOS = {"p99_last_vs_first", "memory_last_vs_first", "backlog_last_vs_first", "dead_rows"}


async def test_a_quick_run_writes_every_ratio_and_figure_and_its_plot(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "benchmarks", "steady", "--quick", "--results", str(tmp_path))
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
    assert await process.wait() == 0
    found = results.read(tmp_path / "steady.json")
    assert found.ratios.keys() == RATIOS
    assert all(ratio.at_most for ratio in found.ratios.values())
    assert found.ratios["p99_last_vs_first"].value > 0
    for until in ("topic", "portal"):
        parts = [each for name, each in found.figures.items() if name.startswith(f"award by {until}/")]
        assert len(parts) == 1 + 4
        assert sum(each["units"] for each in parts) == 2 * parts[0]["units"]
        assert all(0 < each["p50_ms"] <= each["p99_ms"] <= each["p999_ms"] <= each["max_ms"] for each in parts)
    for service in SERVICES:
        assert len(found.figures[f"memory/{service}"]["quarters"]) == 4
        assert found.figures[f"database/{service}"]["value"] > 0
        assert found.figures[f"cpu/{service}"]["value"] > 0
        assert found.figures[f"hot table/{service}.relay"]["value"] > 0
    assert all(each > 0 for each in found.figures["machine/CPU time of the same work"]["quarters"])
    assert "<svg" in (tmp_path / "steady.svg").read_text(encoding="utf-8")


# --- quarters ---------------------------------------------------------------------------------------------------


def look(number: int, **changes: object) -> Look:
    usual = Look(
        seconds=15.0 * number,
        memory_mb={"intake": 100.0, "metrics": 200.0},
        database_bytes={"intake": 1_000},
        tables={"intake.claims": Table(live=9_000, dead=1_000, bytes=8_192)},
        pending={"intake": 3},
        lag={"intake": 4},
        assessments=2,
        work_ms=10.0,
    )
    return msgspec.structs.replace(usual, **changes)


def test_parts_are_equal_times_by_when_work_was_due() -> None:
    taken = [(float(second), 0.001 * (1 + second // 10)) for second in range(40)] + [(40.0, 0.004)]
    found = by_part(taken, 40.0, 4, rate=1.0)
    assert [each.units for each in found] == [10, 10, 10, 11]
    assert [each.max_ms for each in found] == [1.0, 2.0, 3.0, 4.0]


def test_quarters_have_every_look_once_in_order() -> None:
    assert [list(part) for part in quarters(range(10))] == [[0, 1], [2, 3, 4], [5, 6], [7, 8, 9]]
    with pytest.raises(ValueError, match="3 looks"):
        quarters(range(3))


def test_what_stays_as_it_was_has_ratios_of_one() -> None:
    found = ratios([50.0, 60.0, 70.0, 50.0], [look(number) for number in range(8)])
    assert found.keys() == RATIOS
    assert found.pop("dead_rows").value == 0.1
    assert {each.value for each in found.values()} == {1.0}


def test_what_grows_is_seen_in_the_service_that_grows_most_and_in_what_waits() -> None:
    grown = {"memory_mb": {"intake": 150.0, "metrics": 200.0}, "lag": {"intake": 20}, "assessments": 16}
    looks = [look(number, **(grown if number >= 6 else {})) for number in range(8)]
    found = ratios([50.0, 50.0, 50.0, 80.0], looks)
    assert memory(looks) == {"intake": [100.0, 100.0, 100.0, 150.0], "metrics": [200.0] * 4}
    assert found["memory_last_vs_first"].value == 1.5
    assert found["backlog_last_vs_first"].value == 4.0
    assert found["p99_last_vs_first"].verdict == "not reached"


def test_where_nothing_ever_waited_nothing_has_grown() -> None:
    looks = [look(number, pending={}, lag={}, assessments=0) for number in range(4)]
    assert ratios([1.0] * 4, looks)["backlog_last_vs_first"].value == 1.0


def test_dead_rows_count_in_the_second_half_and_in_large_tables_only() -> None:
    dead = Table(live=1_001, dead=4_004, bytes=0)
    small = {"intake.policies": Table(live=10, dead=9_000, bytes=400_000)}
    swollen = {"intake.policies": Table(live=10, dead=90, bytes=4_000_000)}
    early = [look(0, tables={"intake.claims": dead}), look(1), look(2), look(3, tables=small)]
    assert worst_dead(early) == (0.1, "intake.claims")
    assert worst_dead([*early[:3], look(3, tables={"intake.claims": dead})]) == (0.8, "intake.claims")
    assert worst_dead([look(0, tables=small)]) == (0.0, "none")
    assert worst_dead([look(0, tables=swollen)]) == (0.9, "intake.policies")


def test_a_group_is_behind_by_what_lies_between_its_offsets_and_the_ends() -> None:
    ends = {TopicPartition("a", 0): 10, TopicPartition("a", 1): 5}
    assert behind([("a", 0, 7), ("a", 1, 6), ("gone", 0, 2)], ends) == 3


def test_no_percentile_lies_beyond_the_longest() -> None:
    found = latencies_of([0.001 * number for number in range(1, 21)], 1.0, 0.0, 1.0)
    assert found.p99_ms == found.p999_ms == found.max_ms == 20.0


def test_an_hour_that_would_fill_the_disk_is_not_begun(tmp_path: Path) -> None:
    check_room(tmp_path, 1)
    with pytest.raises(OSError, match="room for"):
        check_room(tmp_path, 10**12)


# --- the stream -------------------------------------------------------------------------------------------------


async def test_a_stream_goes_on_behind_the_last_event_when_the_server_ends_it() -> None:
    asked: list[bytes] = []
    told = [(b"4", b"stream.position"), (b"5", b"claim.paid")], [(b"5", b"stream.position"), (b"6", b"award.issued")]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        frames = b"".join(b'id: %s\nevent: %s\ndata: {"x":1}\n\n' % each for each in told[len(asked) - 1])
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n" + frames)
        if len(asked) > 1:
            await reader.read()
        writer.close()  # the first at once, as at a renewal
        await writer.wait_closed()
        ended.put_nowait(None)

    heard: asyncio.Queue[bytes] = asyncio.Queue()
    ended: asyncio.Queue[None] = asyncio.Queue()
    failed: list[str] = []
    async with await asyncio.start_server(serve, LOOPBACK, 0) as server:
        port = server.sockets[0].getsockname()[1]
        stream = await Stream.open(LOOPBACK, port, (), lambda kind, _: heard.put_nowait(kind), failed.append)
        async with asyncio.timeout(5):
            assert [await heard.get(), await heard.get()] == [b"claim.paid", b"award.issued"]
            stream.close()
            await ended.get()
            await ended.get()
    assert b"last-event-id" not in asked[0].lower()
    assert b"last-event-id: 5\r\n" in asked[1].lower()
    assert not failed
