"""The service's HTTP on real PostgreSQL: the same figures as JSON in fen and as metrics in yuan."""

from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from kit.database import Database
from metrics.handlers import Handlers
from stack.ports import free_ports
from tests.metrics.conftest import client_of
from tests.metrics.story import DISTRICT, POOL, SCHEME, START, Case, Ledger, messages, one_paid_case, policy

# Served by the metrics service, contract.md section 3.
FAMILIES = {
    "drawdown_pool_appropriated_yuan",
    "drawdown_pool_balance_yuan",
    "drawdown_pool_imbalance_yuan",
    "drawdown_scheme_balance_yuan",
    "drawdown_envelope_remaining_yuan",
    "drawdown_disbursed_yuan",
    "drawdown_waitlisted_yuan",
    "drawdown_applications",
    "drawdown_applications_total",
    "drawdown_stage_seconds_bucket",
    "drawdown_projection_last_event_timestamp_seconds",
    "drawdown_programme_target",
    "drawdown_programme_actual",
}


def money(fen: int) -> dict[str, Any]:
    return {"amount": fen, "currency": "CNY"}


@pytest.fixture
async def programme_under_way(database: Database, handlers: Handlers) -> None:
    """Two companies were paid 123,456.78 yuan each, a third waits for 600,000 yuan."""
    ledger, waiting = Ledger(), Case(3)
    events = [policy(), ledger.open()]
    events += one_paid_case(ledger, Case(1)) + one_paid_case(ledger, Case(2), minutes=60 * 24 * 20)
    events += [waiting.submitted(), waiting.approved(), waiting.waitlisted()]
    async with database.transaction() as connection:
        await handlers.handle(connection, list(messages(events)), START)


async def metrics(client: httpx.AsyncClient) -> dict[str, dict[tuple[str, ...], float]]:
    """Samples by name and label values (in the order of the labels' names)."""
    answer = await client.get("/metrics")
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = tuple(value for _, value in sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


@pytest.mark.usefixtures("programme_under_way")
async def test_metrics_show_the_books_to_the_fen(client: httpx.AsyncClient) -> None:
    found = await metrics(client)
    fen = {labels[1]: round(value * 100) for labels, value in found["drawdown_pool_balance_yuan"].items()}
    assert fen == {
        "available": 450_000_000_000 - 120_000_000,
        "committed": 120_000_000 - 24_691_356,
        "obligated": 0,
        "disbursed": 24_691_356,
    }
    assert found["drawdown_pool_appropriated_yuan"] == {(POOL,): 4_500_000_000}
    assert found["drawdown_pool_imbalance_yuan"] == {(POOL,): 0}
    assert found["drawdown_disbursed_yuan"] == {(DISTRICT, POOL, SCHEME): 246_913.56}
    assert found["drawdown_waitlisted_yuan"] == {(POOL, SCHEME): 600_000}
    assert found["drawdown_envelope_remaining_yuan"] == {(SCHEME,): 500_000_000 - 1_200_000}


@pytest.mark.usefixtures("programme_under_way")
async def test_metrics_show_where_applications_stand(client: httpx.AsyncClient) -> None:
    found = await metrics(client)
    standing = {labels[1]: count for labels, count in found["drawdown_applications"].items() if count}
    assert standing == {"awarded": 2, "waitlisted": 1}
    came_to = {labels[0]: count for labels, count in found["drawdown_applications_total"].items()}
    assert came_to == {"approved": 3, "awarded": 2, "waitlisted": 1}
    assert found["drawdown_stage_seconds_count"][(SCHEME, "submission_to_decision")] == 3
    assert found["drawdown_stage_seconds_sum"][(SCHEME, "payment_to_settlement")] == 120


@pytest.mark.usefixtures("programme_under_way")
async def test_every_family_of_the_contract_is_served(client: httpx.AsyncClient) -> None:
    found = await metrics(client)
    assert found.keys() >= FAMILIES
    assert "drawdown_build_info" in found or "http_requests_total" in found, "the process's own metrics"


@pytest.mark.usefixtures("programme_under_way")
async def test_no_company_is_in_a_label(client: httpx.AsyncClient) -> None:
    text = (await client.get("/metrics")).text
    assert str(Case(1).application_id) not in text
    assert "91440300MA5003FYBC" not in text


@pytest.mark.usefixtures("programme_under_way")
async def test_pools_are_given_in_fen(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/pools", headers={"accept-language": "en"})
    [pool] = answer.json()["items"]
    assert pool["pool"] == POOL
    assert pool["name"]["en"] == "2025 support package for AI and robotics"
    assert (pool["version"], pool["chain_breaks"]) == (7, 0)
    assert pool["appropriated"] == money(450_000_000_000)
    assert pool["disbursed"] == money(24_691_356)
    assert pool["imbalance"] == money(0)
    assert answer.json()["as_of"] > "2026"


@pytest.mark.usefixtures("programme_under_way")
@pytest.mark.parametrize(
    ("by", "keys", "withheld"), [("scheme", [SCHEME], 0), ("district", ["other"], 1), ("month", ["other"], 2)]
)
async def test_drawdown_is_grouped_where_it_gives_nobody_away(
    client: httpx.AsyncClient, by: str, keys: list[str], withheld: int
) -> None:
    found = (await client.get(f"/v1/pools/{POOL}/drawdown", params={"by": by})).json()
    assert ([item["key"] for item in found["items"]], found["withheld"]) == (keys, withheld)
    assert sum(item["promised"]["amount"] for item in found["items"]) == 120_000_000
    assert sum(item["disbursed"]["amount"] for item in found["items"]) == 24_691_356


async def test_months_begin_where_the_programme_is(
    client: httpx.AsyncClient, database: Database, handlers: Handlers
) -> None:
    ledger = Ledger()
    late = 60 * 24 * 16 + 60 * 8 + 30  # 31 March 16:30 UTC is April in Shenzhen
    cases = [Case(number, applicant=f"914403000000{number:06d}") for number in range(5)]
    events = [ledger.open(), *(event for case in cases for event in one_paid_case(ledger, case, minutes=late))]
    async with database.transaction() as connection:
        await handlers.handle(connection, list(messages(events)), START)
    found = (await client.get(f"/v1/pools/{POOL}/drawdown")).json()
    assert [item["key"] for item in found["items"]] == ["2026-04"]


async def test_an_unknown_pool_is_not_found(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/pools/nowhere/drawdown", headers={"accept-language": "en"})
    assert (answer.status_code, answer.json()["code"]) == (404, "pool_not_found")


@pytest.mark.usefixtures("database")
async def test_targets_are_shown_against_what_is_known(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/targets", headers={"accept-language": "en"})
    found = {item["target"]: (item["value"], item["actual"]) for item in answer.json()["items"]}
    assert found["scenarios"] == (300, 200)
    assert found["opc-communities"] == (10, 0)


async def test_an_award_of_a_counted_scheme_counts_toward_its_target(
    client: httpx.AsyncClient, database: Database, handlers: Handlers
) -> None:
    events = [Case(number, "scenario-subsidy").awarded() for number in (1, 2)]
    async with database.transaction() as connection:
        await handlers.handle(connection, list(messages(events)), START)
    answer = await client.get("/v1/targets")
    assert {item["target"]: item["actual"] for item in answer.json()["items"]}["scenarios"] == 202


async def test_without_a_database_the_process_is_still_seen() -> None:
    [nobody_listens] = free_ports(1)
    database = Database(f"postgresql://metrics:x@127.0.0.1:{nobody_listens}/metrics")
    async with client_of(database) as client:
        found = await metrics(client)
    assert found["drawdown_projection_readable"] == {(): 0}
    assert "drawdown_event_loop_lag_seconds" in found
    assert "drawdown_pool_balance_yuan" not in found
    await database.close()
