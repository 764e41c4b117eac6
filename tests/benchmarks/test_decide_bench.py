"""The benchmark of decisions decides what is there to decide, and writes a result that is whole."""

import asyncio
import sys
from collections import Counter
from pathlib import Path

from benchmarks.decide.cases import NOW, cases
from benchmarks.harness import results
from eligibility import rules

ROOT = Path(__file__).parents[2]


def test_its_cases_are_of_every_scheme_and_come_out_in_every_way() -> None:
    decided = cases(50)
    outcomes = Counter(rules.decide(case.book, case.application, case.facts, NOW).outcome for case in decided)
    assert len({case.application.scheme for case in decided}) == 10
    assert set(outcomes) == {"approved", "rejected", "undecided"}  # persons and panels have not decided
    assert outcomes["approved"] > len(decided) / 3


async def test_a_quick_run_writes_its_ratio(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "benchmarks", "decide", "--quick", "--results", str(tmp_path))
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
    assert await process.wait() == 0
    found = results.read(tmp_path / "decide.json")
    assert found.ratios.keys() == {"vs_expressions"}
    assert found.figures["decide/ours"]["median"] > 0
    assert "<svg" in (tmp_path / "decide.svg").read_text(encoding="utf-8")
