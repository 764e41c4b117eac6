"""Waits of days, in seconds: a system whose policy is impatient, whose registers go away and whose bank forgets."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from contracts.events import PaymentInstructed, PaymentStatusRequested
from stack.config import Config, Ports, policies_dir
from stack.home import open_home
from stack.simulators import bodies
from stack.simulators.population import Role
from stack.simulators.reading import read_topics
from stack.supervisor import Stack
from tests.journeys.traveller import State, Traveller

CLOCKS = """
clocks:
  draft: {within: PT1S, then: lapse}
  registers: {within: PT4S, then: escalate}
  payment: {within: PT2S, then: ask_finance}
  account_check: {within: PT2S, then: ask_finance}
"""


@pytest.fixture(scope="module")
async def impatient() -> AsyncIterator[Stack]:
    """A system of its own, with short deadlines and a bank that reports nothing until it is asked."""
    path = Path(tempfile.mkdtemp(prefix="drawdown-clocks-"))
    policies = path / "policies"
    shutil.copytree(policies_dir(), policies)
    document = policies / "compute-voucher.yaml"
    document.write_text(document.read_text("utf-8") + CLOCKS, "utf-8")
    config = Config(
        home=open_home(path / "home"),
        ports=Ports.free(),
        environment={**os.environ, "SIM_LOST": "1", "SIM_RETURNED": "0"},
        process_environment={"eligibility": {"ELIGIBILITY_POLICIES_DIR": str(policies)}},
    )
    async with Stack(config) as stack:
        yield stack
    shutil.rmtree(path)


@pytest.fixture
async def waiting(impatient: Stack) -> AsyncIterator[Traveller]:
    async with httpx.AsyncClient(timeout=30.0, trust_env=False) as client:
        yield Traveller(impatient, client)


async def timeline(traveller: Traveller, state: State) -> list[str]:
    """Return what happened to an application, by name, in order."""
    items = (await traveller.get("intake", f"/v1/applications/{state['application_id']}/timeline"))["items"]
    return [line["type"] for line in items]


async def missed(traveller: Traveller, service: str, kind: str) -> float:
    """Return how many deadlines of a kind a service counts as missed."""
    page = await traveller.client.get(f"{traveller.system.urls[service]}/metrics")
    name = f'drawdown_clocks_missed_total{{kind="{kind}"}} '
    return sum(float(line.removeprefix(name)) for line in page.text.splitlines() if line.startswith(name))


async def test_a_draft_that_nobody_submits_lapses(waiting: Traveller) -> None:
    body = bodies.application(waiting.ask_of(Role.ORDINARY), submit=False)
    draft = (await waiting.post("/v1/applications", body)).json()
    assert (draft["waiting_for"]["who"], draft["waiting_for"]["overdue"]) == ("applicant", False)

    state = await waiting.until_status(draft, "lapsed")

    assert state["waiting_for"] is None
    assert (await timeline(waiting, state))[-1] == "application.lapsed"


async def test_registers_that_stay_away_are_handed_to_an_officer_and_decide_all_the_same(waiting: Traveller) -> None:
    registers = waiting.system.urls["registers"]
    await waiting.client.post(f"{registers}/simulator/outage", json={"seconds": 12})
    created = await waiting.apply(waiting.ask_of(Role.ORDINARY, 1))
    assert (await waiting.until_status(created, "assessing"))["waiting_for"]["who"] == "registers"

    escalated = await waiting.until_status(created, "in_review")
    assert (escalated["waiting_for"]["who"], escalated["decision"]) == ("officer", None)
    assert escalated["waiting_for"]["due"] > escalated["waiting_for"]["since"]
    state = await waiting.until_status(created, "awarded")

    assert state["decision"]["outcome"] == "approved"
    assert (await timeline(waiting, state)).count("review.opened") == 2
    assert await missed(waiting, "eligibility", "registers") == 1


async def test_a_payment_without_a_report_is_asked_about_and_made_once(waiting: Traveller) -> None:
    state = await waiting.until_status(await waiting.apply(waiting.ask_of(Role.ORDINARY, 2)), "awarded")
    assert (await waiting.claim(state, 1_000_000, f"{state['number']}-1")).status_code == 201
    state = await waiting.until_claims_end(await waiting.until(state, lambda seen: len(seen["claims"]) == 1))

    [claim] = state["claims"]
    assert (claim["status"], claim["waiting_for"]) == ("paid", None)
    payment_id = claim["payment"]["payment_id"]
    records = await read_topics(waiting.system.kafka_bootstrap, "disbursement.payments")
    about = [record.event for record in records if str(getattr(record.event, "payment_id", "")) == payment_id]
    assert [type(event) for event in about[:2]] == [PaymentInstructed, PaymentStatusRequested]
    assert sum(isinstance(event, PaymentInstructed) for event in about) == 1
    assert await missed(waiting, "disbursement", "payment") >= 1
    bank = (await waiting.client.get(f"{waiting.system.urls['finance']}/v1/log")).json()["items"]
    assert [entry["outcome"] for entry in bank if entry["payment_id"] == payment_id] == ["settled"]
