"""You are at one run: start, load with faults, quiet, rest, checks. ``play`` answers all that was found."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import httpx

from stack.demo import tokens_of
from stack.simulators.officers import portal_of
from tests.faults import evidence, journal
from tests.faults.checks import judge
from tests.faults.client import Direct
from tests.faults.deck import DECK
from tests.faults.director import Director, Happened
from tests.faults.portal import LoggedCaller
from tests.faults.rest import come_to_rest
from tests.faults.sabotage import Fault, Saboteur
from tests.faults.system import Shape, System, running
from tests.faults.verdict import Verdict
from tests.faults.workload import Workload

REST_SECONDS: Final = 60.0
_GUESSED_YUAN: Final = 900_000  # what an application draws on the envelope, on average
_FINANCE: Final = {
    "SIM_DUPLICATES": "0.15",
    "SIM_RETURNED": "0.05",
    "SIM_DELAY_SECONDS": "0.2",
    "SIM_REORDER_SECONDS": "2",
    "SIM_LOST": "0.05",
    "SIM_CONTRADICTIONS": "0.05",
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run is asked to be."""

    seed: int = 1
    seconds: float = 600.0
    applications: int = 5_000
    deck: Sequence[Fault] = DECK
    solos: Sequence[str] = ()
    first: Sequence[Fault] = ()
    brokers: int = 3
    mutant: str | None = None
    rest_seconds: float = REST_SECONDS
    patience_seconds: float = 120.0
    """How long the application that measures a recovery is waited for."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run was."""

    plan: Plan
    applications: int
    tries: int
    happened: list[Happened]
    rest_seconds: float | None
    moving: list[str]
    own_share: float
    """The share of one processor that the suite's own process took: near 1 it measures itself."""
    verdicts: list[Verdict]
    left: list[str] = field(default_factory=list)

    @property
    def void(self) -> list[Happened]:
        return [each for each in self.happened if each.proof is None]

    @property
    def broken(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if not verdict.holds]


async def play(plan: Plan) -> Outcome:
    """Run the plan from nothing to nothing."""
    envelope = max(60_000_000, int(plan.applications * _GUESSED_YUAN))
    shape = Shape(
        seed=plan.seed,
        brokers=plan.brokers,
        envelope_yuan=envelope,
        mutant=plan.mutant,
        clocks=any(fault.kind == "F13" for fault in plan.deck),
        older=any(fault.kind == "F16" for fault in plan.first),
        finance=dict(_FINANCE),
    )
    async with running(shape) as system:
        system.keep = True
        outcome = await _play(plan, system)
        system.keep = bool(outcome.broken or outcome.void)
        return outcome


async def _play(plan: Plan, system: System) -> Outcome:
    began, used = time.monotonic(), time.process_time()
    log = journal.Journal(system.home.path / "operations.jsonl")
    async with httpx.AsyncClient(transport=Direct(), trust_env=False) as client:
        caller = LoggedCaller(client, system.doors(), log, plan.seed, portal_of(tokens_of(system.home)))
        today = datetime.now(ZoneInfo("Asia/Shanghai")).date()
        pace = 1.1 * plan.applications / plan.seconds
        workload = Workload(caller, plan.seed, today, per_second=pace, at_most=plan.applications)
        by = Saboteur(system, workload, random.Random(f"sabotage {plan.seed}"))
        await workload.portal.until_open(60)
        director = Director(by, workload, plan.deck, plan.seed, plan.patience_seconds)
        load = asyncio.create_task(workload.run())
        await director.begin_with(plan.first)
        await director.play(plan.seconds)
        await director.play_alone(plan.solos)
        rest = await _quiet(plan, by, workload, caller, load)
    own_share = (time.process_time() - used) / (time.monotonic() - began)
    log.close()
    found = await evidence.gather(by, log.path)
    return Outcome(
        plan=plan,
        applications=workload.sent,
        tries=log.lines,
        happened=director.happened,
        rest_seconds=rest[0],
        moving=rest[1],
        own_share=own_share,
        verdicts=judge(found, director.happened, rest, workload.portal.told.surprises),
        left=workload.left,
    )


async def _quiet(
    plan: Plan, by: Saboteur, workload: Workload, caller: LoggedCaller, load: asyncio.Task[None]
) -> tuple[float | None, list[str]]:
    """The last fault is over: no new application, and everything that has begun must end in time."""
    began = time.monotonic()
    workload.stop.set()
    print(f"  quiet: {workload.sent} applications sent, {workload.sent - workload.ended} under way", flush=True)
    await asyncio.wait({load}, timeout=plan.rest_seconds)
    caller.closing.set()
    await load
    _, moving = await come_to_rest(by, max(1.0, plan.rest_seconds - (time.monotonic() - began)))
    return (None if moving else time.monotonic() - began), moving
