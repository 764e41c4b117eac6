"""Hands what a process has just taken in to its own assessor, without a way through the database.

Applications that are few enough are stored under a lease of this process: nobody else finds them due, and its assessor
has them as soon as they are committed. Their registers are asked meanwhile; an answer does not depend on whether the
batch is committed. A process that dies leaves them to anybody when the lease is over, as with any lease.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from eligibility import rules
from eligibility.records import Assessment, Group, Lease, Taken
from eligibility.shelf import Shelf
from kit.identifiers import uuid7
from kit.outbox import Announcements

_MOST_GROUPS: Final = 5  # that may wait here: they have to be assessed before their lease is over

AskAhead = Callable[[Mapping[str, str]], None]


class Handover:
    """Between a process's consumer and its assessor, which is ``woken`` after each commit."""

    def __init__(
        self, ask_ahead: AskAhead, shelf: Shelf, woken: asyncio.Event, *, group_size: int, lease_seconds: float
    ) -> None:
        self._ask_ahead = ask_ahead
        self._shelf = shelf
        self._woken = woken
        self._group_size = group_size
        self._lease = timedelta(seconds=lease_seconds)
        self._waiting: deque[Assessment] = deque()
        self.token = uuid7()
        """What the leases of this process are known by."""

    def offer(self, said: Taken, fresh: Sequence[Assessment], now: datetime) -> Lease | None:
        """Return the lease under which these are to be stored; None where they are left to whoever is free."""
        if not fresh or self.waiting() + len(fresh) > _MOST_GROUPS * self._group_size:
            return None
        said.lease = Lease(self.token, now + self._lease, fresh)
        for one in fresh:
            policy = self._shelf.find(*one.version, one.submitted.submitted_at).policy
            self._ask_ahead(rules.to_be_asked(policy, one.submitted))
        return said.lease

    def committed(self, said: Announcements) -> None:
        """Say that a batch was committed: what it has taken in can be assessed."""
        if isinstance(said, Taken) and said.lease is not None:
            self._waiting.extend(said.lease.applications)
        self._woken.set()

    def waiting(self) -> int:
        """Return how many applications wait here."""
        return len(self._waiting)

    def take(self) -> Group:
        """Return those that were handed over first, a group at most."""
        some = min(self._group_size, len(self._waiting))
        return {one.application_id: one for one in (self._waiting.popleft() for _ in range(some))}
