"""The ledger's benchmark runs from end to end and writes a result that is whole. How fast it is proves nothing here."""

import asyncio
import sys
from pathlib import Path

from benchmarks.harness import results

ROOT = Path(__file__).parents[2]
SIDES = ("ours", "floor", "copy_floor", "row_lock")
PEERS = ("row_lock", "floor", "copy_floor")


async def test_a_quick_run_writes_every_ratio_and_figure_and_its_plot(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "benchmarks", "ledger", "--quick", "--results", str(tmp_path))
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
    assert await process.wait() == 0
    found = results.read(tmp_path / "ledger.json")
    assert found.ratios.keys() == {f"vs_{peer}{of}" for peer in PEERS for of in ("", "_mix")} | {"growth"}
    for part in ("approvals", "mix"):
        for side in SIDES:
            figure = found.figures[f"{part}/{side}"]
            assert figure["median"] > 0
            assert figure["cpu_seconds_per_1000"].keys() > {"postgres"}
    assert found.figures["approvals/pgbench"]["median"] > 0
    for side in ("ours", "ours at the row lock's", "row_lock"):
        latencies = found.figures[f"half load/{side}"]
        assert 0 < latencies["p50_ms"] <= latencies["p99_ms"] <= latencies["max_ms"]
    assert {name for name in found.figures if name.startswith("processes/")} == {
        f"processes/{processes}, {pools}"
        for processes in ("1 process", "2 processes")
        for pools in ("1 pool", "3 pools")
    }
    assert found.machine["fsync"] == found.machine["synchronous_commit"] == "on"
    assert {"date", "cores", "server_version", "before", "after"} <= found.machine.keys()
    assert "<svg" in (tmp_path / "ledger.svg").read_text(encoding="utf-8")
