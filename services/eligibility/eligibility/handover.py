"""Hands what a process has just taken in to its own assessor, without a way through the database.

Applications that are few enough are stored under a lease of this process: nobody else finds them due, and its assessor
has them as soon as they are committed. Their registers are asked meanwhile; an answer does not depend on whether the
batch is committed. A process that dies leaves them to anybody when the lease is over, as with any lease.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from eligibility import rules
from eligibility.records import Assessment, Lease, Taken
from eligibility.shelf import Shelf
from kit.identifiers import uuid7
from kit.outbox import Announcements

AskAhead = Callable[[Mapping[str, str]], None]


class Handover:
    """Between a process's consumer and its assessor, which is ``woken`` after each commit."""

    def __init__(self, ask_ahead: AskAhead, shelf: Shelf, woken: asyncio.Event, *, most: int, seconds: float) -> None:
        """``most`` applications may wait here, each under a lease of so many seconds."""
        self._ask_ahead = ask_ahead
        self._shelf = shelf
        self._woken = woken
        self._most = most
        self._lease = timedelta(seconds=seconds)
        self._leases: deque[Lease] = deque()

    def offer(self, said: Taken, fresh: Sequence[Assessment], now: datetime) -> Lease | None:
        """Return the lease under which these are to be stored; None where they are left to whoever is free."""
        if not fresh or self.waiting() + len(fresh) > self._most:
            return None
        said.lease = Lease(uuid7(), now + self._lease, {one.application_id: one for one in fresh})
        for one in fresh:
            policy = self._shelf.find(*one.version, one.submitted.submitted_at).policy
            self._ask_ahead(rules.to_be_asked(policy, one.submitted))
        return said.lease

    def committed(self, said: Announcements) -> None:
        """Say that a batch was committed: what it has taken in can be assessed."""
        if isinstance(said, Taken) and said.lease is not None:
            self._leases.append(said.lease)
        self._woken.set()

    def waiting(self) -> int:
        """Return how many applications wait here."""
        return sum(len(lease.group) for lease in self._leases)

    def take(self) -> Lease | None:
        """Return what was handed over first, if anything."""
        return self._leases.popleft() if self._leases else None
