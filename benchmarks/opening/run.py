"""The morning on a running system of its own: the crowd comes, intake may be killed meanwhile, all is checked after."""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from benchmarks.harness import machine
from benchmarks.harness.cpu import Watch
from benchmarks.harness.progress import say
from benchmarks.harness.remote import Remote
from benchmarks.opening import verdict
from benchmarks.opening.crowd import ANSWER_SECONDS, PATIENCE_SECONDS, Crowd, Heard
from benchmarks.opening.plan import Intent, Plan, intents
from benchmarks.opening.watch import EVERY_SECONDS, Look, Memory, Progress
from benchmarks.opening.wire import Wire
from stack import checks, issuer
from stack.config import Config, Ports
from stack.demo import tokens_of
from stack.grants import SERVICES
from stack.home import open_home
from stack.ports import LOOPBACK
from stack.simulators.asks import ask
from stack.simulators.auditor import Auditor, calling
from stack.simulators.population import company
from stack.simulators.portal import Told
from stack.supervisor import Stack

BEGINS_SECONDS: Final = 2.0
SEARCHED_COMPANIES: Final = 20
_VERDICT_SECONDS: Final = 60.0
_AN_AGE: Final = timedelta(hours=3)


class Morning(msgspec.Struct, frozen=True):
    """What is tried. ``kill_at``: intake gets SIGKILL so many seconds after the opening. ``again``: how many accepted
    intents are sent once more at the end. ``deadline_seconds``: how long all may take to be decided.
    """

    plan: Plan = Plan()
    kill_at: float | None = None
    again: int = 2_000
    deadline_seconds: float = 400.0


class Outcome(msgspec.Struct):
    """What came of it. ``wrong`` has what does not hold, by what should; all empty when everything does."""

    morning: Morning
    accepted: int
    hung_up: str
    heard: Heard
    looks: list[Look]
    within: dict[int, float]
    decided_seconds: float | None
    assessed_seconds: float | None
    memory_mb: dict[str, float]
    cpu_seconds: dict[str, float]
    wrong: dict[str, list[str]]
    machine: dict[str, Any]


def today() -> Plan:
    """Return the plan of a morning today: the registers and the policies know the calendar."""
    return Plan(today=datetime.now(ZoneInfo("Asia/Shanghai")).date())


async def play(morning: Morning, environment: Mapping[str, str] | None = None) -> Outcome:
    """Start a system in a directory of its own, and play a morning on it; it is stopped and removed."""
    path = Path(tempfile.mkdtemp(prefix="drawdown-opening-"))
    config = Config(
        home=open_home(path),
        ports=Ports.free(),
        seed=morning.plan.seed,
        companies=morning.plan.companies,
        environment={**os.environ, **(environment or {})},
    )
    try:
        async with Stack(config) as stack:
            say(f"the system is ready in {path}")
            return await on(stack, morning)
    finally:
        shutil.rmtree(path)


async def on(stack: Stack, morning: Morning) -> Outcome:
    """Play a morning on a system that runs, has the plan's companies and no applications yet."""
    wanted = list(intents(morning.plan))
    home = stack.config.home
    facts = machine.facts() | {"before": machine.moment(home.path)}
    token = issuer.mint(home, subject="portal", scopes=["portal"], client="portal", lifetime=_AN_AGE)
    port = stack.config.ports.intake
    memory = Memory()
    async with Remote(Crowd.open, LOOPBACK, port, token, morning.plan) as crowd:
        watch = Watch({**_pids(stack), "crowd": crowd.pid}).start()
        opening = time.monotonic() + BEGINS_SECONDS
        async with _looking(stack, opening, memory) as progress:
            heard: Heard = await _play(crowd, stack, morning, opening)
            _say_heard(heard)
            await progress.until_decided(morning.deadline_seconds)
        cpu = watch.stop()
        again = _some_accepted(heard, morning)
        say(f"sending {len(again)} once more, reading all back")
        repeated: list[str] = await crowd.call("again", again)
    wire = Wire(LOOPBACK, port, token, 4 * ANSWER_SECONDS)
    listed = await verdict.search(wire)
    companies = {intent.applicant: None for intent in wanted[:SEARCHED_COMPANIES]}
    wrong = {
        "answers are well formed and retries asked for": heard.wrong,
        "each intent is there once, and nothing else": list(verdict.differences(wanted, heard, listed)),
        "every 2xx is there, by id and by search": await verdict.lost(wire, wanted, heard, companies),
        "the same key brings the same answer": repeated,
        **await _books(stack, morning, wanted, heard, listed),
    }
    await wire.close()
    return Outcome(
        morning=morning,
        accepted=len(listed),
        hung_up=verdict.hung_up(wanted, listed),
        heard=heard,
        looks=progress.looks,
        within={seconds: progress.share_within(seconds, len(listed)) for seconds in (75, 120)},
        decided_seconds=progress.seconds_until(len(listed)),
        assessed_seconds=next((round(e.seconds, 1) for e in progress.looks if e.assessed >= len(listed)), None),
        memory_mb=memory.peaks,
        cpu_seconds=cpu,
        wrong=wrong,
        machine=facts | {"after": machine.moment(home.path)},
    )


async def _play(crowd: Remote, stack: Stack, morning: Morning, opening: float) -> Heard:
    say(f"{morning.plan.submissions} submissions in {morning.plan.seconds:.0f} s")
    playing = asyncio.create_task(crowd.call("play", opening))
    if morning.kill_at is not None:
        await asyncio.sleep(opening + morning.kill_at - time.monotonic())
        stack.kill("intake")
        say(f"intake was killed {morning.kill_at:.1f} s after the opening")
    heard: Heard = await playing
    return heard


def _say_heard(heard: Heard) -> None:
    tries = ", ".join(f"{count} x {what}" for what, count in heard.tries.most_common())
    say(f"the last answer came after {heard.last_answer:.1f} s; {tries}")
    say(f"the crowd was late by {heard.late_seconds:.2f} s at most and opened {heard.connections} connections")


def _some_accepted(heard: Heard, morning: Morning) -> list[int]:
    """Return whom to ask again: the first that were accepted, so those before a kill come first."""
    accepted = [(told.accepted_at, number) for number, told in heard.told.items() if told.accepted_at is not None]
    return [number for _, number in sorted(accepted)[: morning.again]]


@asynccontextmanager
async def _looking(stack: Stack, opening: float, memory: Memory) -> AsyncIterator[Progress]:
    stop = asyncio.Event()
    progress = Progress(stack.postgres.superuser_dsn("intake"), opening)

    async def weigh() -> None:
        while not stop.is_set():
            memory.look({name: pid for name, pid in _pids(stack).items() if name in SERVICES})
            await asyncio.sleep(EVERY_SECONDS)

    async with asyncio.TaskGroup() as looking:
        looking.create_task(progress.run(stop))
        looking.create_task(weigh())
        try:
            yield progress
        finally:
            stop.set()


def _pids(stack: Stack) -> dict[str, int]:
    running = {name: component.child.identity for name, component in stack.components.items()}
    return {name: identity.pid for name, identity in running.items() if identity is not None}


async def _books(
    stack: Stack, morning: Morning, wanted: list[Intent], heard: Heard, listed: list[verdict.Application]
) -> dict[str, list[str]]:
    """Run the checks that the demonstration ends with, until all hold or the last projection had its time."""
    plan, by_contract = morning.plan, {intent.contract: intent for intent in wanted}
    told = Told()
    for each in listed:
        number = by_contract[each.contract].number
        one = company(plan.seed, number % plan.companies)
        told.accepted[each.application_id] = ask(plan.seed, one, plan.today, run=f"{number}")
    deadline = time.monotonic() + _VERDICT_SECONDS
    async with calling(stack.urls, tokens_of(stack.config.home)) as callers:
        while True:
            evidence = await Auditor(callers, stack.kafka_bootstrap).gather()
            results = checks.verdict(evidence, told)
            if all(each.passed for each in results) or time.monotonic() > deadline:
                break
            await asyncio.sleep(EVERY_SECONDS)
    once = _announced_once([str(each.application_id) for each in evidence.submitted()], told)
    return {each.name: list(each.differences) for each in results} | {"each is announced once": once}


def _announced_once(announced: list[str], told: Told) -> list[str]:
    wanted = {str(each) for each in told.accepted}
    twice = len(announced) - len(set(announced))
    found = [f"{twice} application.submitted more than applications"] if twice else []
    return found + [f"{each} is not announced" for each in sorted(wanted ^ set(announced))]


__all__ = ["PATIENCE_SECONDS", "Morning", "Outcome", "on", "play", "today"]
