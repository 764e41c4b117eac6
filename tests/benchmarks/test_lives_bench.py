"""The benchmarks that play whole lives run from end to end, on a system of their own each; their lives are alike."""

import asyncio
import sys
from datetime import date
from pathlib import Path

import msgspec
import pytest

from benchmarks.harness import results
from benchmarks.harness.results import Ratio
from benchmarks.lifecycle import programme
from benchmarks.lifecycle.lives import APPLICATIONS_OF_A_COMPANY, lives, numbers_of
from benchmarks.lifecycle.ours import expected
from eligibility.policies import read_document
from stack.config import policies_dir

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 11, 29)
EVERYONE = {"portal", "bank", "postgres", "registers"}
OURS = {"intake", "eligibility", "disbursement", "metrics", "kafka"}


async def quick(name: str, directory: Path) -> results.Result:
    """Run a benchmark's short cut as a person would; return what it wrote."""
    command = (sys.executable, "-m", "benchmarks", name, "--quick", "--results", str(directory))
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
    assert await process.wait() == 0
    assert "<svg" in (directory / f"{name}.svg").read_text(encoding="utf-8")
    return results.read(directory / f"{name}.json")


async def test_a_quick_lifecycle_has_both_sides_with_the_cost_of_each_process(tmp_path: Path) -> None:
    found = await quick("lifecycle", tmp_path)
    assert found.ratios["vs_synchronous"].value > 0
    ours, theirs = (found.figures[f"lives/{side}"] for side in ("ours", "synchronous"))
    assert ours["cpu_seconds_per_1000"].keys() == EVERYONE | OURS
    assert theirs["cpu_seconds_per_1000"].keys() == EVERYONE | {"synchronous-1", "synchronous-2"}
    assert ours["median"] > 0
    assert theirs["median"] > 0
    assert found.machine["fsync"] == found.machine["synchronous_commit"] == "on"


async def test_a_quick_latency_run_has_every_award_beside_the_floor(tmp_path: Path) -> None:
    found = await quick("latency", tmp_path)
    assert found.ratios["p99_vs_floor"].at_most
    for until in ("topic", "portal"):
        taken = found.figures[f"award by {until}/1"]
        assert taken["units"] == 100
        assert 0 < taken["p50_ms"] <= taken["p99_ms"] <= taken["max_ms"]


async def test_a_quick_replay_has_events_on_both_sides(tmp_path: Path) -> None:
    found = await quick("replay", tmp_path)
    assert found.ratios["vs_consume"].value > 0
    assert found.figures["events/ours"]["median"] > 0
    assert found.figures["events/consume"]["median"] > 0


async def test_a_quick_scale_plays_with_one_and_two_of_each_and_lets_the_second_ones_join(tmp_path: Path) -> None:
    found = await quick("scale", tmp_path)
    assert found.ratios["two_vs_one"].value > 0
    assert found.ratios["join_seconds"].value > 0
    cpu = found.figures["lives/two of each"]["cpu_seconds_per_1000"]
    assert cpu["disbursement-2"] > 0
    assert "disbursement-2" not in found.figures["lives/one of each"]["cpu_seconds_per_1000"]


async def test_a_quick_start_starts_twice(tmp_path: Path) -> None:
    found = await quick("stack", tmp_path)
    assert found.figures["first"]["value"] > 0
    assert found.ratios["second_up_seconds"].value > 0


async def test_a_quick_growth_multiplies_a_past_whose_books_are_in_order(tmp_path: Path) -> None:
    found = await quick("growth", tmp_path)
    assert found.ratios.keys() == {"growth", "growth_cpu"}
    assert found.figures["past"]["says"].startswith("short: 60 applications, long: 330 applications")


# --- what is played -----------------------------------------------------------------------------------------


def test_no_two_lives_share_what_counts_once() -> None:
    made = [*lives(0, 40, TODAY), *lives(1_040, 40, TODAY)]
    sent = [msgspec.json.decode(life.application) for life in made]
    claims = [msgspec.json.decode(life.claim) for life in made]
    assert len({body["request"]["contract"]["number"] for body in sent}) == len(made)
    assert len({body["invoices"][0]["number"] for body in claims}) == len(made)
    first, second = ({body["applicant"]["uscc"] for body in part} for part in (sent[:40], sent[40:]))
    assert len(first) == len(second) == 40 // APPLICATIONS_OF_A_COMPANY
    assert not first & second


def test_companies_that_come_once_are_strangers_to_those_that_come_later() -> None:
    once = lives(0, 40, TODAY, of_a_company=1)
    later = lives(numbers_of(40, of_a_company=1), 40, TODAY)
    first, second = (
        [msgspec.json.decode(life.application)["applicant"]["uscc"] for life in part] for part in (once, later)
    )
    assert len(set(first)) == len(first) == 40
    assert not set(first) & set(second)


def test_no_payment_of_a_life_waits_for_two_persons() -> None:
    release_above = read_document(policies_dir() / "compute-voucher.yaml").policy.payments.release_above
    assert release_above is not None
    assert all(0 < life.paid <= release_above.amount for life in lives(0, 400, TODAY))


def test_the_measured_programme_differs_in_its_sums_alone(tmp_path: Path) -> None:
    written = read_document(programme.write(tmp_path / "policies") / "compute-voucher.yaml").policy
    real = read_document(policies_dir() / "compute-voucher.yaml").policy
    assert written.envelope is not None
    assert real.envelope is not None
    assert written.envelope.amount == 10_000 * real.envelope.amount
    assert msgspec.structs.replace(written, envelope=real.envelope, cap=real.cap) == real


def test_what_lives_move_keeps_a_pool_in_balance() -> None:
    before = {"available": 100, "committed": 10, "obligated": 0, "disbursed": 5}
    after = expected(before, awarded=60, paid=15)
    assert after == {"available": 40, "committed": 55, "obligated": 0, "disbursed": 20}


@pytest.mark.parametrize(
    ("value", "verdict"), [(9.0, "not reached"), (8.0, "reached"), (3.1, "reached"), (3.0, "aim reached")]
)
def test_a_ratio_that_is_a_limit_is_reached_from_above(value: float, verdict: str) -> None:
    assert Ratio("says", 8, 3, value, at_most=True).verdict == verdict
