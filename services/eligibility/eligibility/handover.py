"""Hands what a process has just taken in to its own assessor, without a way through the database.

What the registers have answered already need not be asked, and can be decided as it is taken in: one transaction less
before an award. But nothing is decided before what came earlier: not while the assessor has anything in hand.

Applications that are few enough are stored under a lease of this process: nobody else finds them due, and its assessor
has them as soon as they are committed. Their registers are asked meanwhile; an answer does not depend on whether the
batch is committed. A process that dies leaves them to anybody when the lease is over, as with any lease.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from eligibility import decisions, meters, rules
from eligibility.records import Assessment, Group, Lease, Taken
from eligibility.shelf import Shelf
from kit import tracing
from kit.backoff import Backoff
from kit.identifiers import uuid7
from kit.outbox import Announcements

_MOST_GROUPS: Final = 5  # that may wait here: they have to be assessed before their lease is over


class Registers(Protocol):
    """What the outside registers (``registers``) are asked here."""

    def kept(self, wanted: Mapping[str, str]) -> Mapping[str, Any] | None: ...

    def ask_ahead(self, wanted: Mapping[str, str]) -> None: ...


class Handover:
    """Between a process's consumer and its assessor, which is ``woken`` after each commit."""

    def __init__(
        self,
        registers: Registers,
        shelf: Shelf,
        woken: asyncio.Event,
        *,
        group_size: int,
        lease_seconds: float,
        retry: Callable[[], Backoff],
    ) -> None:
        self._registers = registers
        self._shelf = shelf
        self._woken = woken
        self._group_size = group_size
        self._lease = timedelta(seconds=lease_seconds)
        self._retry = retry
        self.under_way = False
        """Whether the assessor is assessing."""
        self._waiting: deque[Assessment] = deque()
        self.token = uuid7()
        """What the leases of this process are known by."""

    async def take_in(
        self, connection: AsyncConnection, said: Taken, fresh: Sequence[Assessment], now: datetime
    ) -> Lease | None:
        """Decide what can be decided of what is about to be stored; return the lease under which the rest is stored.

        Without one the rest is left to whoever is free.
        """
        await self._decide(connection, said, _pending(fresh), now)
        return self._offer(said, _pending(fresh), now)

    async def _decide(
        self, connection: AsyncConnection, said: Taken, fresh: Sequence[Assessment], now: datetime
    ) -> None:
        """Decide them if all that the registers have to say of all of them is at hand."""
        if self.under_way or self._waiting or not 0 < len(fresh) <= self._group_size:
            return
        found: dict[UUID, Mapping[str, Any]] = {}
        for one in fresh:
            answers = self._registers.kept(self._wanted(one))
            if answers is None:
                return
            found[one.application_id] = answers
        said.tried_from = time.time_ns()
        said.tried = await decisions.decide_new(connection, self._shelf, fresh, found, now, self._retry(), said)

    def _offer(self, said: Taken, fresh: Sequence[Assessment], now: datetime) -> Lease | None:
        if not fresh or self.waiting() + len(fresh) > _MOST_GROUPS * self._group_size:
            return None
        said.lease = Lease(self.token, now + self._lease, fresh)
        for one in fresh:
            self._registers.ask_ahead(self._wanted(one))
        return said.lease

    def _wanted(self, one: Assessment) -> dict[str, str]:
        policy = self._shelf.find(*one.version, one.submitted.submitted_at).policy
        return rules.to_be_asked(policy, one.submitted)

    def committed(self, said: Announcements) -> None:
        """Say that a batch was committed: what it has taken in can be assessed, and what it has decided is counted."""
        if isinstance(said, Taken):
            if said.lease is not None:
                self._waiting.extend(said.lease.applications)
            if said.tried:
                tracing.told("assess", [one.traceparent for one in said.tried], said.tried_from, each=True)
                meters.count(said.tried)
        self._woken.set()

    def waiting(self) -> int:
        """Return how many applications wait here."""
        return len(self._waiting)

    def take(self) -> Group:
        """Return those that were handed over first, a group at most."""
        some = min(self._group_size, len(self._waiting))
        return {one.application_id: one for one in (self._waiting.popleft() for _ in range(some))}


def _pending(fresh: Sequence[Assessment]) -> list[Assessment]:
    """Return those that are still to be decided: some are withdrawn by the batch that brings them."""
    return [one for one in fresh if one.status == "pending"]
