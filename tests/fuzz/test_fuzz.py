"""Schemathesis finds nothing in a short run over the four services; `make fuzz` is the long one."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from contracts.generate import REFERENCE
from tests.fuzz.runs import MAIN, SCOPES, carry_out, runs_of
from tests.fuzz.system import SEED, System, running

# The coverage phase makes the same cases each time, many of them: here for whom a service is there for above all.
MAIN_PHASES = "examples,coverage,fuzzing,stateful"
OTHER_PHASES = "examples,fuzzing"
EXAMPLES = 2


@pytest.fixture(scope="module")
async def system() -> AsyncIterator[System]:
    async with running() as system:
        await system.live_a_little()
        yield system


@pytest.mark.parametrize("service", SCOPES)
async def test_a_running_service_hands_out_the_committed_document(system: System, service: str) -> None:
    committed: Any = json.loads((REFERENCE / "openapi" / f"{service}.json").read_text("utf-8"))

    assert await system.document(service) == committed


@pytest.mark.parametrize("service", SCOPES)
async def test_nothing_is_found_in_a_short_run(system: System, service: str) -> None:
    document = await system.document(service)
    for run in runs_of(service, document, EXAMPLES, MAIN_PHASES):
        if run.scope != MAIN[service]:
            run = replace(run, phases=OTHER_PHASES)  # noqa: PLW2901
        outcome = await asyncio.to_thread(carry_out, run, system.urls[service], system.token(run.scope), SEED)

        assert outcome.cases > 0, outcome.output
        assert outcome.clean, outcome.output
