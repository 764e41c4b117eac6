"""The harness: turns alternate, ratios are of pairs, latencies count from the plan, results and their page agree."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from benchmarks.harness import document, plots, results
from benchmarks.harness.openloop import open_loop
from benchmarks.harness.remote import Remote
from benchmarks.harness.results import Ratio, Result
from benchmarks.harness.rounds import Run, alternate, figure, ratio

ROOT = Path(__file__).parents[2]
RESULT = Result(
    {"vs_other": Ratio("ours, divided by the other's", 2, 4, 3.14)},
    {"part/ours": figure([Run(10, 2.0, {"it": 0.5}), Run(30, 2.0, {"it": 0.6})], "things")},
    {
        "date": "2026-01-01 00:00 UTC",
        "cores": 2,
        "cpu": "a",
        "memory_gib": 4,
        "system": "b",
        "python": "c",
        "before": {"load": 0.1, "commit_ms": 1.0},
        "after": {"load": 0.2, "commit_ms": 2.0},
    },
)


async def test_sides_run_in_turn_after_a_warm_up_that_does_not_count() -> None:
    order: list[str] = []

    async def a(number: int) -> Run:
        order.append(f"a{number}")
        return Run(1, 1.0)

    async def b(number: int) -> Run:
        order.append(f"b{number}")
        return Run(1, 1.0)

    runs = await alternate({"a": a, "b": b}, 2)
    assert order == ["a0", "b0", "a1", "b1", "a2", "b2"]
    assert {name: len(found) for name, found in runs.items()} == {"a": 2, "b": 2}

    order.clear()
    runs = await alternate({"a": a, "b": b}, 1)
    assert order == ["a1", "b1"], "a single round shows that it runs, and warms nothing up"


def test_a_ratio_is_the_median_of_pairs_so_that_a_slow_round_counts_for_both() -> None:
    ours = [Run(100, 1.0), Run(10, 1.0), Run(120, 1.0)]
    theirs = [Run(10, 1.0), Run(1, 1.0), Run(10, 1.0)]
    assert ratio(ours, theirs) == 10


async def test_what_arrives_behind_a_stall_has_waited_for_it() -> None:
    """A closed loop would have asked nothing during the stall, and would report one slow answer of twenty."""

    async def handle(numbers: Sequence[int]) -> None:
        if 5 in numbers:
            await asyncio.sleep(0.2)

    found = await open_loop(range(20), 100, handle, workers=1, most=1, late_seconds=0.1)
    assert found.units == 20
    assert found.late >= 5
    assert found.max_ms >= 200
    assert found.p50_ms > 10


async def test_a_worker_takes_all_that_waits_and_no_more_than_it_may() -> None:
    sizes: list[int] = []

    async def handle(numbers: Sequence[int]) -> None:
        sizes.append(len(numbers))
        await asyncio.sleep(0.05)

    await open_loop(range(100), 1_000, handle, workers=1, most=30)
    assert sum(sizes) == 100
    assert max(sizes) == 30


def test_cpu_seconds_are_those_of_the_time_watched() -> None:
    """In a process that has no children, as this one has where a test before it left a stack running."""
    program = """
import os, time
from benchmarks.harness.cpu import Watch
watch = Watch({"this": os.getpid()}).start()
began = time.process_time()
while time.process_time() - began < 0.3:
    pass
print(watch.stop()["this"])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(0.3, abs=0.1)


class Echo:
    """What a remote process is asked in these tests."""

    @classmethod
    async def open(cls, greeting: str) -> "Echo":
        if not greeting:
            raise ValueError("say something")
        return cls()

    async def pid(self) -> int:
        return os.getpid()

    async def fail(self) -> None:
        raise KeyError("lost")

    async def close(self) -> None:
        return


async def test_a_remote_side_is_another_process_and_raises_here() -> None:
    async with Remote(Echo.open, "hello") as echo:
        assert await echo.call("pid") == echo.pid != os.getpid()
        with pytest.raises(KeyError, match="lost"):
            await echo.call("fail")
    with pytest.raises(ValueError, match="say something"):
        await Remote(Echo.open, "").__aenter__()


@pytest.mark.parametrize(("value", "verdict"), [(1.9, "not reached"), (2, "reached"), (4, "aim reached")])
def test_a_ratio_is_judged_by_what_it_must_reach_and_aims_at(value: float, verdict: str) -> None:
    assert Ratio("", 2, 4, value).verdict == verdict


def test_a_result_is_read_as_it_was_written_and_makes_the_page(tmp_path: Path) -> None:
    path = results.write("some", RESULT, tmp_path)
    assert results.read(path) == RESULT
    document.write(tmp_path, tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "| some | `vs_other` | 2 | 4 | **3.14** | reached |" in page
    assert "| part/ours | 10 things/s | 5, 15 | it 35 |" in page
    assert "before: load 0.1, a commit 1.0 ms; after: load 0.2, a commit 2.0 ms" in page


def test_a_file_that_is_no_result_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text('{"ratios": {}}', encoding="utf-8")
    with pytest.raises(msgspec.ValidationError, match="figures"):
        results.all_of(tmp_path)


def test_a_plot_shows_every_bar_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "plot.svg"
    plots.bars(path, "All & sundry", {"one": {"ours": 1234.0, "theirs": 0.0}, "two": {}})
    drawn = path.read_text(encoding="utf-8")
    assert drawn.count("<rect") == 2
    assert "All &amp; sundry" in drawn
    assert ">1,234<" in drawn


def test_the_page_of_results_is_what_the_results_say() -> None:
    assert document.PAGE.read_text(encoding="utf-8") == document.text(results.all_of()), "run: make bench"
