"""The page: docs/explanation/capacity.md, page.md with its figures computed from the results of the benchmarks."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Final

from benchmarks.capacity.model import (
    BUSY,
    DATABASE_CORES,
    DECIDED_SECONDS,
    PARTITIONS,
    REPLICAS,
    SERVICES,
    Measured,
    Need,
    Place,
    need,
)
from benchmarks.capacity.mornings import openings, play
from benchmarks.harness import results
from benchmarks.harness.results import Result

PAGE: Final = Path(__file__).parents[2] / "docs" / "explanation" / "capacity.md"
PLACES: Final = (Place("a city", 1), Place("a province", 10), Place("a country", 300))
_TEMPLATE: Final = Path(__file__).parent / "page.md"
_PROCESSES: Final = (*SERVICES, "postgres", "kafka")
_CITIES: Final = 10
_APART_SECONDS: Final = 300.0
_CORES: Final = (1, 2, 4, 8, 16)
_CORES_HERE: Final = 0.4


def measured(found: Mapping[str, Result]) -> Measured:
    """Return what the benchmarks found. Raises KeyError with the name of one that was never run."""
    morning, lives = found["opening"].figures, found["lifecycle"].figures["lives/ours"]["cpu_seconds_per_1000"]
    left = found["footprint"].figures
    return Measured(
        morning_cpu={name: morning[f"cpu/{name}"]["value"] for name in _PROCESSES},
        life_cpu={name: lives[name] for name in _PROCESSES},
        database_bytes={name: left[f"database/{name}"]["value"] for name in SERVICES},
        wal_bytes=left["log/postgres"]["value"],
        kafka_bytes=left["topics/kafka"]["value"],
        one_pool=found["ledger"].figures["mix/ours"]["median"],
        decided_seconds=morning["all decided"]["value"],
    )


def text(of: Measured) -> str:
    """Return the page."""
    needs = [need(place, of) for place in PLACES]
    alone = play(openings(1, 0.0), of.morning_cpu, dict.fromkeys(SERVICES, _CORES_HERE))
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        decided=f"{DECIDED_SECONDS:.0f}",
        busy=f"{BUSY:.0%}",
        database_cores=DATABASE_CORES,
        costs=_costs(of),
        stored=", ".join(f"{name} {size / 1_000:.1f} kB" for name, size in of.database_bytes.items()),
        wal=f"{of.wal_bytes / 1_000:.0f}",
        topics=f"{of.kafka_bytes / 1_000:.1f}",
        needs=_needs(needs),
        bottlenecks="\n".join(_bottleneck(each) for each in needs),
        one_pool=f"{of.one_pool:,.0f}",
        mornings=_mornings(of),
        alone=f"{alone.all_decided:.0f}",
        measured=f"{of.decided_seconds:.0f}",
    )


def write(directory: Path = results.DIRECTORY, page: Path = PAGE) -> None:
    """Write the page."""
    page.write_text(text(measured(results.all_of(directory))), encoding="utf-8")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _costs(of: Measured) -> str:
    rows = [(name, f"{of.morning_cpu[name]:.2f}", f"{of.life_cpu[name]:.2f}") for name in _PROCESSES]
    rows.append(("all", f"**{sum(of.morning_cpu.values()):.2f}**", f"**{sum(of.life_cpu.values()):.2f}**"))
    return _table(("CPU seconds per 1,000", "submission, until decided (opening)", "whole life, at full load"), rows)


def _needs(needs: Sequence[Need]) -> str:
    rows: dict[str, Callable[[Need], str]] = {
        "cities": lambda n: f"{n.place.cities}",
        "submissions in the minute": lambda n: f"{n.place.submissions:,}",
        "lives a year": lambda n: f"{n.place.lives_a_year:,}",
        **{f"{name}: busy cores; replicas": _replicas(name) for name in SERVICES},
        "PostgreSQL: busy cores": lambda n: f"{n.cores['postgres']:.1f}",
        "cells of four primaries": lambda n: f"{n.database_cells}",
        "Kafka: busy cores": lambda n: f"{n.cores['kafka']:.1f}",
        "partitions of a topic": lambda n: f"{n.partitions}",
        "PostgreSQL's log, MB/s at the peak, at most": lambda n: f"{n.wal_mb_per_second:.0f}",
        "databases, GB a year": lambda n: f"{sum(n.database_gb_a_year.values()):,.0f}",
        f"Kafka, GB a year, {REPLICAS} replicas": lambda n: f"{n.kafka_gb_a_year:,.0f}",
        "CPU hours for a year's lives": lambda n: f"{n.cpu_hours_a_year:,.1f}",
        "of one pool's writer, at the peak": lambda n: f"{n.pool_share:.1%}",
    }
    shown = [(what, *(of(each) for each in needs)) for what, of in rows.items()]
    return _table(("", *(each.place.name for each in needs)), shown)


def _replicas(name: str) -> Callable[[Need], str]:
    return lambda n: f"{n.cores[name]:.1f}; {n.replicas[name]}"


def _bottleneck(of: Need) -> str:
    workers = max((name for name in SERVICES if name != "intake"), key=lambda name: of.cores[name])
    limits = {
        "one primary PostgreSQL for all four databases": of.cores["postgres"] / (BUSY * DATABASE_CORES),
        f"{workers}'s {PARTITIONS} partitions": of.cores[workers] / (BUSY * PARTITIONS),
        "one pool's writer": of.pool_share,
    }
    first = max(limits, key=lambda name: limits[name])
    return f"- **{of.place.name}**: {first}, of which the opening wants {limits[first]:.0%}."


def _mornings(of: Measured) -> str:
    moments = [openings(_CITIES, apart) for apart in (0.0, _APART_SECONDS)]
    rows = []
    for cores in _CORES:
        cells = []
        for each in moments:
            found = play(each, of.morning_cpu, dict.fromkeys(SERVICES, float(cores)))
            where = max(found.waits, key=lambda name: found.waits[name])
            cells.append(f"{found.all_decided:,.0f} s; {found.waits[where]:.1f} s in {where}")
        rows.append((str(cores), *cells))
    head = ("cores of each service", "all at once: decided after; longest wait", "five minutes apart")
    return _table(head, rows)
