"""The outside registers are down while a season applies: nothing is guessed, and all of it goes on by itself after."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from uuid import uuid4

from stack.demo import tokens_of
from stack.simulators.auditor import calling
from stack.simulators.portal import Portal
from stack.simulators.season import Season, season_asks
from stack.simulators.views import ApplicationView
from tests.journeys.traveller import PATIENCE_SECONDS, SEED, Traveller

COMPANIES = 60
ALL_OUT_SECONDS = 600
ASK_NO_REGISTER = {"within-contract"}  # what the application itself says is enough for this criterion


async def states_of(portal: Portal, wanted: Callable[[Counter[str]], bool]) -> list[ApplicationView]:
    """Look at all applications until their statuses are as wanted."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        states = [state async for state in portal.applications()]
        seen = Counter(state.status for state in states)
        if wanted(seen):
            return states
        assert time.monotonic() < deadline, f"still {dict(seen)}"
        await asyncio.sleep(0.3)


def refused_for(state: ApplicationView) -> set[str]:
    assert state.decision is not None, "it was rejected"
    return {reason.code for reason in state.decision.reasons if reason.outcome == "not_met"}


async def outage(traveller: Traveller, seconds: float) -> None:
    url = f"{traveller.system.urls['registers']}/simulator/outage"
    (await traveller.client.post(url, json={"seconds": seconds})).raise_for_status()


async def test_registers_that_are_down_for_a_season_decide_nothing_and_then_everything(traveller: Traveller) -> None:
    before = await traveller.pool()
    tokens = tokens_of(traveller.system.config.home)
    async with calling(traveller.system.urls, tokens) as callers:
        run = uuid4().hex[:6]
        portal = Portal(callers["intake"], SEED, traveller.today, run)
        season = Season(portal, season_asks(SEED, COMPANIES, traveller.today, run), lambda _: None)
        await outage(traveller, ALL_OUT_SECONDS)
        try:
            await season.submit()
            waiting = await states_of(portal, lambda seen: not seen["submitted"])
            assert {state.status for state in waiting} <= {"assessing", "withdrawn", "rejected"}
            rejected = [state for state in waiting if state.status == "rejected"]
            assert all(refused_for(state) <= ASK_NO_REGISTER for state in rejected), "decided without its facts"
            assert len(waiting) - len(rejected) > COMPANIES * 0.9
            assert await traveller.pool() == before, "money moved"
        finally:
            await outage(traveller, 0)
        ended = await states_of(portal, lambda seen: set(seen) <= {"awarded", "rejected", "withdrawn"})
    assert sum(state.status == "awarded" for state in ended) > COMPANIES / 2
    assert sum(state.status == "rejected" for state in ended) > len(rejected)
    assert portal.told.surprises == []
