"""A season: every company applies, and whoever gets an award claims on it, until nothing moves any more.

Drives a portal with bounded concurrency and tells how far things are. What is read is intake's public view.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, TypeVar
from uuid import UUID

from stack.simulators.asks import Ask, ask
from stack.simulators.calls import OutsiderError
from stack.simulators.population import companies
from stack.simulators.portal import Portal
from stack.simulators.views import ApplicationView, ClaimInApplication

# Looking costs intake as much as serving people: a fifth of the time at most goes into it.
_SHORTEST_PAUSE_SECONDS: Final = 0.3
_LONGEST_PAUSE_SECONDS: Final = 3.0
_PAUSE_PER_LOOK: Final = 4
_EXAMPLES_SHOWN: Final = 5

Work = TypeVar("Work")


class StillMovingError(OutsiderError):
    """The deadline passed and something was not at rest; says what, with a few examples."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many applications and claims have come how far. A later stage is counted in the earlier ones too."""

    asked: int = 0
    submitted: int = 0
    decided: int = 0
    approved: int = 0
    awarded: int = 0
    claims_planned: int = 0
    claims_filed: int = 0
    claims_decided: int = 0
    to_pay: int = 0
    paid_or_given_up: int = 0


Progress = Callable[[Tally], None]


class Season:
    """The asks of some companies, sent through one portal."""

    def __init__(self, portal: Portal, asks: Sequence[Ask], progress: Progress, concurrency: int = 16) -> None:
        self._portal = portal
        self._asks = asks
        self._progress = progress
        self._concurrency = concurrency
        self._claimed: set[UUID] = set()
        self._appealed: set[UUID] = set()
        self._panel_rests = True
        self._before = len(portal.told.accepted)
        self._planned = 0
        self._pause_seconds = _SHORTEST_PAUSE_SECONDS

    async def play(self, deadline_seconds: float) -> None:
        """Send all applications, file claims on what is awarded, return once nothing moves any more.

        Raises StillMovingError when that takes longer than ``deadline_seconds``.
        """
        async with asyncio.TaskGroup() as group:
            await self._rest(group.create_task(self.submit()), deadline_seconds)

    async def settle(self, deadline_seconds: float) -> None:
        """Do the same once more when the panel's call was ranked: nothing new is sent but claims and answers."""
        self._panel_rests = False
        await self._rest(None, deadline_seconds)

    async def _rest(self, sending: asyncio.Task[None] | None, deadline_seconds: float) -> None:
        deadline = time.monotonic() + deadline_seconds
        while moving := await self._advance(sending):
            if time.monotonic() > deadline:
                raise StillMovingError(_still(moving, deadline_seconds))
            await asyncio.sleep(self._pause_seconds)

    async def submit(self) -> None:
        """Send all applications."""
        await spread(self._asks, self._portal.apply, self._concurrency)

    async def _advance(self, sending: asyncio.Task[None] | None) -> list[str]:
        """Look at everything once and file the claims that are due; return what still moves."""
        all_sent = sending is None or sending.done()
        states = await self._look()
        filed = await self._claim(states.values())
        answered = await self._respond(states.values())
        self._progress(self._tally(states.values()))
        moving = [words for state in states.values() if (words := movement(state, panel_rests=self._panel_rests))]
        moving += [f"{each} is not in intake's list" for each in self._portal.told.accepted.keys() - states.keys()]
        moving += [f"claims were filed on {filed} awards"] if filed else []
        moving += [f"{answered} applicants answered or appealed"] if answered else []
        return moving if all_sent else ["applications are being sent", *moving]

    async def _look(self) -> dict[UUID, ApplicationView]:
        """Read every application's state; the longer that takes, the later is the next look."""
        began = time.monotonic()
        states = {state.application_id: state async for state in self._portal.applications()}
        wanted = (time.monotonic() - began) * _PAUSE_PER_LOOK
        self._pause_seconds = min(max(wanted, _SHORTEST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)
        return states

    async def _claim(self, states: Iterable[ApplicationView]) -> int:
        """File the claims of those whose award is new; return how many those were.

        Whoever withdrew may be awarded a moment later, because the two events crossed; the award is then revoked.
        """
        fresh = {
            state.application_id: state.award.award_id
            for state in states
            if state.award is not None and state.status == "awarded" and state.application_id not in self._claimed
        }

        async def claim(pair: tuple[UUID, UUID]) -> None:
            await self._portal.claim(*pair)

        self._planned += sum(self._portal.claims_due(application_id) for application_id in fresh)
        await spread(fresh.items(), claim, self._concurrency)
        self._claimed |= fresh.keys()
        return len(fresh)

    async def _respond(self, states: Iterable[ApplicationView]) -> int:
        """Answer what officers asked, and appeal against what persons rejected, once; return how many did."""
        asked = [state for state in states if state.status == "clarifying"]
        refused = [state for state in states if may_appeal(state) and state.application_id not in self._appealed]
        await spread(asked, self._portal.answer, self._concurrency)
        await spread(refused, self._portal.appeal, self._concurrency)
        self._appealed |= {state.application_id for state in refused}
        return len(asked) + len(refused)

    def _tally(self, states: Iterable[ApplicationView]) -> Tally:
        told = self._portal.told
        refused = sum(told.refused.values())
        return replace(
            tally(states),
            asked=self._before + len(self._asks) - refused,
            submitted=len(told.accepted),
            claims_planned=self._planned - sum(told.claims_refused.values()),
        )


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


def tally(states: Iterable[ApplicationView]) -> Tally:
    """Count how far these applications and their claims have come."""
    seen = list(states)
    claims = [claim for state in seen for claim in state.claims]
    return Tally(
        decided=sum(state.status not in {"submitted", "assessing", "clarifying"} for state in seen),
        approved=sum(state.status in {"approved", "awarded"} for state in seen),
        awarded=sum(state.status == "awarded" for state in seen),
        claims_filed=len(claims),
        claims_decided=sum(claim.status not in {"submitted", "verifying"} for claim in claims),
        to_pay=sum(claim.status == "payable" or is_over(claim) for claim in claims),
        paid_or_given_up=sum(is_over(claim) for claim in claims),
    )


def movement(state: ApplicationView, *, panel_rests: bool = True) -> str | None:
    """Return what is still under way with this application, or None when it is at rest.

    What waits for the panel of a call is at rest until the call is ranked.
    """
    waits_for_panel = (state.waiting_for or {}).get("who") == "panel"
    under_way = state.status in {"submitted", "assessing", "clarifying", "in_review", "approved"}
    if under_way and not (waits_for_panel and panel_rests):
        return f"{state.application_id} is {state.status}"
    for claim in state.claims:
        if claim.status in {"submitted", "verifying"}:
            return f"claim {claim.claim_id} is {claim.status}"
        if claim.status == "payable":
            return f"claim {claim.claim_id} is payable, its payment {claim.payment and claim.payment.status}"
    return None


def may_appeal(state: ApplicationView) -> bool:
    """Return whether persons rejected it; what the rules say of facts is not appealed against here."""
    if state.status != "rejected" or state.appeal is not None or state.decision is None:
        return False
    return any(reason.code == "review" and reason.outcome == "not_met" for reason in state.decision.reasons)


def is_over(claim: ClaimInApplication) -> bool:
    """Whether the claim's payment was settled, or given up by finance's officers."""
    given_up = claim.payment is not None and claim.payment.status == "cancelled"
    return claim.status == "paid" or (claim.status == "rejected" and given_up)


def _still(moving: list[str], deadline_seconds: float) -> str:
    more = len(moving) - _EXAMPLES_SHOWN
    words = [*moving[:_EXAMPLES_SHOWN], *([f"and {more} more"] if more > 0 else [])]
    return f"not at rest after {deadline_seconds:.0f} s: {'; '.join(words)}"
