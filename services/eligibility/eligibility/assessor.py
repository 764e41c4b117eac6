"""The assessor: takes due applications by lease, asks the registers about them, decides, commits.

No transaction is open while the registers are asked. The lease keeps two processes from asking about the same
application; what was withdrawn, or taken over by another process, while we asked is left alone.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from eligibility import decisions, meters, rules
from eligibility.handover import Handover
from eligibility.records import Assessment, Group
from eligibility.registers import Answer, Registers
from eligibility.settings import Settings
from eligibility.shelf import Shelf
from eligibility.store import assessments, policies
from kit import outbox, tracing
from kit.backoff import Backoff
from kit.database import Database, describe
from kit.errors import TransientError
from kit.following import log_said
from kit.identifiers import uuid7
from kit.logging import get_logger
from kit.pace import Pace

log = get_logger(__name__)

_WAITED_OUT: Final = (SQLAlchemyError, OSError, TimeoutError, TransientError)
_ASKING_SHARE: Final = 0.75  # of the lease: the rest is for the transaction that stores the decisions
Found = Mapping[UUID, dict[str, Answer]]


class Assessor:
    """Assesses until stopped: at once when ``woken``; calls ``committed`` when there may be something to relay."""

    def __init__(
        self,
        database: Database,
        registers: Registers,
        shelf: Shelf,
        settings: Settings,
        handover: Handover,
        *,
        woken: asyncio.Event,
        committed: Callable[[], None],
    ) -> None:
        self._database = database
        self._registers = registers
        self._shelf = shelf
        self._settings = settings
        self._handover = handover
        self._committed = committed
        self._woken = woken
        self._pace = Pace(settings.assessor_pace_seconds)
        self._leased_at = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Assess until ``stop``; a database that is away is waited for."""
        backoff = Backoff()
        while not stop.is_set():
            await self._pace.keep()
            try:
                took = await self.assess_group(stop)
            except _WAITED_OUT as error:
                log.warning("assessor_waits", reason=describe(error), error_class=type(error).__name__)
                await backoff.pause(stop)
                continue
            backoff.reset()
            if took < self._settings.assessor_group_size and not self._handover.waiting():
                await self._nap()
        await self._leave()

    async def assess_group(self, stop: asyncio.Event) -> int:
        """Assess one group of due applications; return how many it took."""
        token, group = await self._next()
        if not group:
            return 0
        began = time.time_ns()
        self._handover.under_way = True
        try:
            with meters.GROUP_SECONDS.time():
                await self._decide(token, group, await self._ask(group, stop))
        finally:
            self._handover.under_way = False
        tracing.told("assess", [one.traceparent for one in group.values()], began, each=True)
        return len(group)

    async def _next(self) -> tuple[UUID, Group]:
        """Return what this process has just taken in, or, at least as often as it polls, what is due to anybody."""
        now = time.monotonic()
        if now - self._leased_at < self._settings.assessor_poll_seconds and (handed := self._handover.take()):
            return self._handover.token, handed
        self._leased_at, token = now, uuid7()
        return token, await self._lease(token)

    async def _leave(self) -> None:
        """Leave to others what was handed over and is not assessed; without a database, they have it a lease later."""
        try:
            while group := self._handover.take():
                async with self._database.transaction() as connection:
                    await assessments.give_back(connection, token=self._handover.token, ids=group.keys())
        except _WAITED_OUT as error:
            log.warning("leases_not_given_back", reason=describe(error), error_class=type(error).__name__)

    async def _lease(self, token: UUID) -> Group:
        """Take what is due: one statement that commits by itself, because mostly there is nothing."""
        async with self._database.reading() as connection:
            group = await assessments.lease_due(
                connection,
                token=token,
                limit=self._settings.assessor_group_size,
                seconds=self._settings.assessor_lease_seconds,
            )
            await policies.stock(connection, self._shelf, [assessment.version for assessment in group.values()])
        return group

    async def _ask(self, group: Group, stop: asyncio.Event) -> Found:
        """Ask about all companies at once; leave out those whose answers did not come before the end of the lease."""
        asking = {key: asyncio.create_task(self._registers.ask(self._wanted(one))) for key, one in group.items()}
        everything = asyncio.create_task(asyncio.wait(asking.values()))
        stopping = asyncio.create_task(stop.wait())
        deadline_seconds = self._settings.assessor_lease_seconds * _ASKING_SHARE
        await asyncio.wait({everything, stopping}, timeout=deadline_seconds, return_when=asyncio.FIRST_COMPLETED)
        unfinished = [task for task in (everything, stopping, *asking.values()) if not task.done()]
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        if late := sum(task.cancelled() for task in asking.values()):
            log.warning("asking_cut_short", applications=late, stopping=stop.is_set(), after_seconds=deadline_seconds)
        return {key: task.result() for key, task in asking.items() if not task.cancelled()}

    def _wanted(self, assessment: Assessment) -> dict[str, str]:
        submitted = assessment.submitted
        return rules.to_be_asked(self._shelf.find(*assessment.version, submitted.submitted_at).policy, submitted)

    async def _decide(self, token: UUID, group: Group, found: Found) -> None:
        retry = retry_of(self._settings)
        async with self._database.transaction() as connection:
            with tracing.Work():
                tried, announcements = await decisions.decide_group(connection, self._shelf, token, found, retry)
            await assessments.give_back(
                connection, token=token, ids=group.keys() - {one.application_id for one in tried}
            )
            await outbox.add(connection, announcements)
        self._committed()
        log_said(announcements)
        meters.count(tried)

    async def _nap(self) -> None:
        try:
            await asyncio.wait_for(self._woken.wait(), self._settings.assessor_poll_seconds)
        except TimeoutError:
            return
        self._woken.clear()


def retry_of(settings: Settings) -> Backoff:
    """Return the pauses before an application without its facts is tried again."""
    return Backoff(settings.assessor_first_retry_seconds, settings.assessor_longest_retry_seconds)
