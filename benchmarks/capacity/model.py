"""The sums: from CPU seconds and bytes per application to cores, replicas, partitions, databases and disks."""

import math
from collections.abc import Mapping
from typing import Final

import msgspec

SERVICES: Final = ("intake", "eligibility", "disbursement", "metrics")
BUSY: Final = 0.7
"""How much of a core a process may use at the peak: beyond that waits grow without bound."""
PARTITIONS: Final = 12
"""Of a topic as the contract has it: no group has more members that work."""
DATABASE_CORES: Final = 32
"""Of one primary PostgreSQL as clouds and servers commonly have it; ``BUSY`` of them may be used."""
REPLICAS: Final = 3
"""Of each Kafka partition."""
DECIDED_SECONDS: Final = 75.0
"""How soon after the opening all of it is decided (design: S8's aim)."""


class Measured(msgspec.Struct, frozen=True):
    """What one application costs, as benchmarks found it. CPU: seconds per 1,000, by process. Bytes: of one life.

    ``one_pool``: commands a second that one process decides and commits on one pool. ``decided_seconds``: until
    all of the measured opening was decided.
    """

    morning_cpu: Mapping[str, float]
    life_cpu: Mapping[str, float]
    database_bytes: Mapping[str, float]
    wal_bytes: float
    kafka_bytes: float
    one_pool: float
    decided_seconds: float


class Place(msgspec.Struct, frozen=True):
    """Who uses it. ``cities`` open at the same minute, each with pools of its own."""

    name: str
    cities: int
    morning: int = 20_000
    """Submissions of a city in its opening minute."""
    lives: int = 60_000
    """Applications of a city in a year that live to a settled payment."""

    @property
    def submissions(self) -> int:
        return self.cities * self.morning

    @property
    def lives_a_year(self) -> int:
        return self.cities * self.lives


class Need(msgspec.Struct, frozen=True):
    """What a place needs. ``cores``: busy ones by process in the opening's 75 s."""

    place: Place
    cores: Mapping[str, float]
    replicas: Mapping[str, int]
    partitions: int
    database_cells: int
    """Groups of four databases: as many as keep each primary below its limit."""
    database_gb_a_year: Mapping[str, float]
    kafka_gb_a_year: float
    wal_mb_per_second: float
    """In the opening's 75 s, as if a submission cost what a whole life does: an upper bound."""
    cpu_hours_a_year: float
    """Of all processes, for a year's lives."""
    pool_share: float
    """Of what one pool's writer can do, at the opening, in a city."""


def need(place: Place, measured: Measured) -> Need:
    """Return what a place needs."""
    thousands = place.submissions / 1_000
    cores = {name: cost * thousands / DECIDED_SECONDS for name, cost in measured.morning_cpu.items()}
    replicas = {name: max(2, math.ceil(cores[name] / BUSY)) for name in SERVICES}
    workers = max(replicas[name] for name in SERVICES if name != "intake")
    per_second = place.submissions / DECIDED_SECONDS
    return Need(
        place=place,
        cores=cores,
        replicas=replicas,
        partitions=PARTITIONS * math.ceil(max(workers, PARTITIONS) / PARTITIONS),
        database_cells=math.ceil(cores["postgres"] / (BUSY * DATABASE_CORES)),
        database_gb_a_year={name: place.lives_a_year * size / 1e9 for name, size in measured.database_bytes.items()},
        kafka_gb_a_year=REPLICAS * place.lives_a_year * measured.kafka_bytes / 1e9,
        wal_mb_per_second=per_second * measured.wal_bytes / 1e6,
        cpu_hours_a_year=sum(measured.life_cpu.values()) / 1_000 * place.lives_a_year / 3_600,
        pool_share=place.morning / DECIDED_SECONDS / measured.one_pool,
    )
