"""A season: every company applies, and whoever gets an award claims on it, until nothing moves any more.

Drives a portal with bounded concurrency and tells how far things are. What is read is intake's public view.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeVar
from uuid import UUID

from stack.simulators.asks import Ask, ask
from stack.simulators.population import companies
from stack.simulators.portal import Portal
from stack.simulators.views import ApplicationView, ClaimInApplication

_WATCH_EVERY_SECONDS: Final = 0.3
_EXAMPLES_SHOWN: Final = 5

Work = TypeVar("Work")
States = dict[UUID, ApplicationView]


class StillMovingError(Exception):
    """The deadline passed and something was not at rest; says what, with a few examples."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many applications and claims have come how far. A later stage is counted in the earlier ones too."""

    submitted: int = 0
    decided: int = 0
    awarded: int = 0
    claims_filed: int = 0
    claims_decided: int = 0
    payable: int = 0
    paid_or_returned: int = 0


Progress = Callable[[Tally], None]


class Season:
    """The asks of ``count`` companies, sent through one portal."""

    def __init__(self, portal: Portal, asks: Iterable[Ask], progress: Progress, concurrency: int = 16) -> None:
        self._portal = portal
        self._asks = asks
        self._progress = progress
        self._concurrency = concurrency
        self._claimed: set[UUID] = set()

    async def submit(self) -> None:
        """Send all applications."""

        async def apply(one: Ask) -> None:
            await self._portal.apply(one)
            self._progress(Tally(submitted=len(self._portal.told.accepted)))

        await spread(self._asks, apply, self._concurrency)

    async def until_rest(self, deadline_seconds: float) -> States:
        """File claims on what is awarded, and return every application's state once nothing moves.

        Raises StillMovingError when that takes longer than ``deadline_seconds``.
        """
        deadline = time.monotonic() + deadline_seconds
        while True:
            states = {state.application_id: state async for state in self._portal.applications()}
            filed = await self._claim(states.values())
            self._progress(tally(states.values(), len(self._portal.told.accepted)))
            moving = [words for state in states.values() if (words := movement(state))]
            unseen = len(self._portal.told.accepted) - len(states)
            if not (moving or filed or unseen):
                return states
            if time.monotonic() > deadline:
                raise StillMovingError(_still(moving, unseen, deadline_seconds))
            await asyncio.sleep(_WATCH_EVERY_SECONDS)

    async def _claim(self, states: Iterable[ApplicationView]) -> int:
        """File the claims of those whose award is new; return how many those were."""
        fresh = {
            state.application_id: state.award.award_id
            for state in states
            if state.award is not None and state.application_id not in self._claimed
        }

        async def claim(pair: tuple[UUID, UUID]) -> None:
            await self._portal.claim(*pair)

        await spread(fresh.items(), claim, self._concurrency)
        self._claimed |= fresh.keys()
        return len(fresh)


def season_asks(seed: int, count: int, today: date, run: str = "") -> list[Ask]:
    """Return what the first ``count`` companies ask for."""
    return [ask(seed, company, today, run) for company in companies(seed, count)]


async def spread(items: Iterable[Work], work: Callable[[Work], Awaitable[None]], concurrency: int) -> None:
    """Do the work for every item, at most ``concurrency`` at a time. The first failure ends it."""
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            await work(item)

    async with asyncio.TaskGroup() as workers:
        for _ in range(concurrency):
            workers.create_task(worker())


def tally(states: Iterable[ApplicationView], submitted: int) -> Tally:
    """Count how far these applications and their claims have come."""
    seen = list(states)
    claims = [claim for state in seen for claim in state.claims]
    return Tally(
        submitted=submitted,
        decided=sum(state.status not in {"submitted", "assessing"} for state in seen),
        awarded=sum(state.award is not None for state in seen),
        claims_filed=len(claims),
        claims_decided=sum(claim.status not in {"submitted", "verifying"} for claim in claims),
        payable=sum(claim.status in {"payable", "paid"} for claim in claims),
        paid_or_returned=sum(claim.status in {"payable", "paid"} and not _paying(claim) for claim in claims),
    )


def movement(state: ApplicationView) -> str | None:
    """Return what is still under way with this application, or None when it is at rest."""
    if state.status in {"submitted", "assessing", "approved"}:
        return f"{state.application_id} is {state.status}"
    for claim in state.claims:
        if claim.status in {"submitted", "verifying"}:
            return f"claim {claim.claim_id} is {claim.status}"
        if _paying(claim):
            return f"claim {claim.claim_id} is payable and its payment not reported"
    return None


def _paying(claim: ClaimInApplication) -> bool:
    return claim.status == "payable" and (claim.payment is None or claim.payment.status == "instructed")


def _still(moving: list[str], unseen: int, deadline_seconds: float) -> str:
    words = [f"not at rest after {deadline_seconds:.0f} s: {len(moving)} applications move"]
    words += moving[:_EXAMPLES_SHOWN]
    if unseen:
        words.append(f"{unseen} accepted applications are not in intake's list")
    return "; ".join(words)
