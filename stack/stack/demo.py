"""You are at the demonstration: a season of simulated applications through the whole system, then the audit.

    drawdown demo
    drawdown demo --finance worst

Starts a stack in a fresh directory and removes both at the end, unless the directory given already holds a running
stack, or the environment names a system that runs elsewhere (``stack.elsewhere``): that is then used. Exit code 0 only
when every check of ``stack.checks`` holds.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from rich.console import Console

from stack import elsewhere, issuer, state
from stack.checks import Result, verdict
from stack.concurrency import first
from stack.config import Config, Ports, policies_dir
from stack.errors import StackError
from stack.home import Home, open_home
from stack.manners import Manner, behaving
from stack.ports import LOOPBACK
from stack.report import Report, report
from stack.screen import Screen
from stack.show import bars, show
from stack.simulators import wishes
from stack.simulators.auditor import SERVICES, Auditor, Evidence, calling
from stack.simulators.calls import OutsiderError
from stack.simulators.panel import SCHEME, Panel, Tokens
from stack.simulators.portal import Portal, Told
from stack.simulators.reviewers import Reviewers
from stack.simulators.season import Season, season_asks
from stack.supervisor import Stack

OPEN_SECONDS: Final = 60.0
CALL_SECONDS: Final = 25.0
REST_SECONDS: Final = 240.0
WIDTH_IN_FILES: Final = 150
VERDICT_SECONDS: Final = 30.0
_VERDICT_EVERY_SECONDS: Final = 0.5
_INTERRUPTED: Final = 130


@dataclass(frozen=True)
class Place:
    """A running system, as outsiders reach it. ``tokens`` gives a person's token for a scope, ``run`` keeps this
    season's contracts apart from earlier ones. ``call`` is the document of a ranking call that may be published here.
    """

    urls: Mapping[str, str]
    kafka_bootstrap: str
    tokens: Tokens
    run: str = ""
    call: Path | None = None


def run(
    home: Path | None = None,
    *,
    companies: int = 300,
    seed: int = 1,
    finance: Manner = Manner.USUAL,
    as_json: bool = False,
) -> int:
    """Run the demonstration and print its report; answers the exit code.

    Raises StackError when the system does not start, does not come to rest, or fails a check.
    """
    try:
        with chosen_or_fresh(home) as chosen:
            ended = asyncio.run(_demonstrate(chosen, companies, seed, finance))
            _tell(ended, as_json=as_json)
            if not ended.passed:
                raise StackError("the checks above do not hold")
    except (KeyboardInterrupt, asyncio.CancelledError):
        return _INTERRUPTED
    return 0


async def play(place: Place, companies: int, seed: int, console: Console) -> Report:
    """Send the season, wait until it is at rest, read everything, check it. Works on any running system."""
    today = datetime.now(ZoneInfo("Asia/Shanghai")).date()
    async with calling(place.urls, place.tokens) as callers:
        portal = Portal(callers["intake"], seed, today, place.run)
        asks = [*season_asks(seed, companies, today, place.run), *wishes.others(seed, today, place.run)]
        pioneers = [*wishes.communities(seed, today, place.run), *wishes.competitors(seed, today, place.run)]
        reviewers = Reviewers(place.urls["eligibility"], lambda person: place.tokens(person, "officer"), seed)
        panel = Panel(place.urls["eligibility"], place.tokens, seed)
        try:
            await portal.until_open(OPEN_SECONDS)
            call = await panel.announce(place.call, today, CALL_SECONDS) if place.call else None
            if call is not None:
                await panel.until_offered(callers["intake"], OPEN_SECONDS)
            async with reviewers.at_work():
                with bars(console) as progress:
                    await Season(portal, pioneers, progress).play(REST_SECONDS)
                    season = Season(portal, asks, progress)
                    await season.play(REST_SECONDS)
                    if call is not None:
                        await panel.judge(call)
                        await season.settle(REST_SECONDS)
            portal.told.surprises += reviewers.surprises
            evidence, results = await _eventual_verdict(Auditor(callers, place.kafka_bootstrap), portal.told)
        except (OutsiderError, ExceptionGroup) as errors:
            if isinstance(error := first(errors), OutsiderError):
                raise StackError(str(error)) from errors
            raise
    return report(evidence, portal.told, results)


@contextmanager
def chosen_or_fresh(home: Path | None) -> Iterator[Home]:
    """The directory that was chosen, or a new one that is removed unless something failed: its logs tell why."""
    if home is not None:
        yield open_home(home)
        return
    fresh = open_home(Path(tempfile.mkdtemp(prefix="drawdown-demo-")))
    try:
        yield fresh
    except StackError as error:
        raise StackError(f"{error}; the logs are in {fresh.logs}") from error
    except (KeyboardInterrupt, asyncio.CancelledError):
        shutil.rmtree(fresh.path)
        raise
    shutil.rmtree(fresh.path)


def _tell(ended: Report, *, as_json: bool) -> None:
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH_IN_FILES)
    if as_json:
        console.print_json(json.dumps(ended.as_json()))
    else:
        show(console, ended)


async def _demonstrate(home: Home, companies: int, seed: int, finance: Manner) -> Report:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    console = Console(stderr=True, highlight=False)
    async with place_in(home, seed, finance, console) as place:
        return await play(place, companies, seed, console)


@asynccontextmanager
async def place_in(home: Home, seed: int, finance: Manner, console: Console) -> AsyncIterator[Place]:
    """The system that the environment names, the stack that runs in this directory, or a new one for this block."""
    if (named := elsewhere.named(os.environ)) is not None:
        _refuse_manner(finance, "the system that DRAWDOWN_INTAKE_URL and its like name")
        yield Place(named.urls, named.kafka_bootstrap, tokens_of(home), run=uuid.uuid4().hex[:6])
        return
    known = state.read(home)
    if known is not None and known.supervisor.is_alive():
        _refuse_manner(finance, f"the stack that runs in {home.path}")
        urls = {name: f"http://{LOOPBACK}:{known.port(name)}" for name in SERVICES}
        yield Place(urls, f"{LOOPBACK}:{known.port('kafka')}", tokens_of(home), run=uuid.uuid4().hex[:6])
        return
    used_before = home.kafka.exists()
    with Screen(console) as listener:
        config = behaving(Config(home=home, ports=Ports.free(), seed=seed), finance)
        stack = Stack(config, listener=listener)
        await stack.start()
    try:
        run = uuid.uuid4().hex[:6] if used_before else ""
        call = None if used_before else call_of(config)  # a version is published once
        yield Place(stack.urls, stack.kafka_bootstrap, tokens_of(home), run=run, call=call)
    finally:
        await stack.stop()


def _refuse_manner(finance: Manner, what: str) -> None:
    if finance is not Manner.USUAL:
        raise StackError(f"{what} keeps its finance system as it is: leave out --finance")


async def until_open(place: Place, deadline_seconds: float) -> None:
    """Wait until intake offers the scheme. Raises StackError when it does not in time."""
    async with calling(place.urls, place.tokens) as callers:
        try:
            await Portal(callers["intake"], 0, datetime.now(ZoneInfo("Asia/Shanghai")).date()).until_open(
                deadline_seconds
            )
        except OutsiderError as error:
            raise StackError(str(error)) from error


def tokens_of(home: Home) -> Tokens:
    """Return what gives a person's token, by the stack's own issuer."""
    return lambda person, scope: issuer.mint(home, subject=person, scopes=[scope], client=issuer.client_for([scope]))


def call_of(config: Config) -> Path | None:
    """Return the document of the ranking call, where the programme has one."""
    path = (config.policies or policies_dir()) / f"{SCHEME}.yaml"
    return path if path.exists() else None


async def _eventual_verdict(auditor: Auditor, told: Told) -> tuple[Evidence, list[Result]]:
    """Check until all holds, or the time for the last projections to catch up has passed."""
    deadline = time.monotonic() + VERDICT_SECONDS
    while True:
        evidence = await auditor.gather()
        results = verdict(evidence, told)
        if all(result.passed for result in results) or time.monotonic() > deadline:
            return evidence, results
        await asyncio.sleep(_VERDICT_EVERY_SECONDS)
