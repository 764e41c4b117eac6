"""The sums of capacity: more people need more of everything, and the simulation keeps what it is given."""

from random import Random

import msgspec
import pytest

from benchmarks.capacity import document
from benchmarks.capacity.model import PARTITIONS, SERVICES, Measured, Place, need
from benchmarks.capacity.mornings import openings, play
from benchmarks.opening.plan import Plan, arrivals

COSTS = {"intake": 1.5, "eligibility": 1.1, "disbursement": 0.7, "metrics": 0.7, "postgres": 1.3, "kafka": 0.5}
MEASURED = Measured(
    morning_cpu=COSTS,
    life_cpu={name: 2 * cost for name, cost in COSTS.items()},
    database_bytes=dict.fromkeys(SERVICES, 10_000.0),
    wal_bytes=80_000.0,
    kafka_bytes=15_000.0,
    one_pool=7_000.0,
    decided_seconds=60.6,
)
CITY, COUNTRY = need(Place("city", 1), MEASURED), need(Place("country", 300), MEASURED)


def test_cores_are_seconds_of_work_divided_by_the_seconds_there_are() -> None:
    assert CITY.cores["intake"] == pytest.approx(20 * 1.5 / 75)
    assert COUNTRY.cores["intake"] == pytest.approx(300 * CITY.cores["intake"])


def test_a_city_has_two_of_each_and_a_country_no_more_members_than_partitions() -> None:
    assert set(CITY.replicas.values()) == {2}
    assert CITY.partitions == PARTITIONS
    assert max(COUNTRY.replicas[name] for name in SERVICES if name != "intake") <= COUNTRY.partitions
    assert COUNTRY.database_cells > 1


def test_ten_cities_are_ten_mornings() -> None:
    moments = openings(10, 0.0)
    assert len(moments) == 200_000
    assert moments == sorted(moments)
    assert max(openings(2, 300.0)) > 300


def test_with_cores_enough_all_are_decided_with_the_last_arrival_and_with_few_by_the_work_there_is() -> None:
    moments = arrivals(Plan(submissions=1_000, seconds=10), Random(1))
    plenty = play(moments, COSTS, dict.fromkeys(SERVICES, 1_000.0))
    assert plenty.all_decided == pytest.approx(moments[-1], abs=0.2)
    assert max(plenty.waits.values()) == 0
    few = play(moments, COSTS, dict.fromkeys(SERVICES, 0.01))
    assert few.all_decided == pytest.approx(1.5 / 0.01, rel=0.05)  # intake's work is the most
    assert max(few.waits, key=lambda name: few.waits[name]) == "intake"


def test_the_page_says_all_of_it() -> None:
    page = document.text(MEASURED)
    assert "| cities | 1 | 10 | 300 |" in page
    assert "$" not in page
    assert document.text(msgspec.structs.replace(MEASURED, kafka_bytes=30_000.0)) != page
