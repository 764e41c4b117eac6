"""Runs over past decisions: again as they were (replays), and under a draft (what-if). Page by page, off the loop."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from contracts.codec import to_builtins
from contracts.policy import Policy
from eligibility.decisions import replay
from eligibility.expressions import compile_policy
from eligibility.records import Assessment
from eligibility.shelf import Shelf
from eligibility.store import assessments, hearings, policies
from eligibility.whatif import WhatIf
from kit.database import Database

BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)
_PAGE: Final = 500


async def replays(database: Database, shelf: Shelf, scheme: str | None, since: datetime) -> AsyncIterator[bytes]:
    """Yield a line of JSON for every decision that comes out otherwise, and one that counts them all at the end.

    The decisions that a correction has replaced are run again, too.
    """
    count = differ = 0
    async for page in _pages(database, shelf, scheme, since):
        async with database.reading() as connection:
            earlier = [one.decided for one in await hearings.earlier_of(connection, page)]
        lines = await asyncio.to_thread(_replayed, shelf, [*page, *earlier])
        count, differ = count + len(page) + len(earlier), differ + len(lines)
        for line in lines:
            yield msgspec.json.encode(line) + b"\n"
    yield msgspec.json.encode({"decisions": count, "identical": count - differ}) + b"\n"


async def simulate(
    database: Database, shelf: Shelf, draft: Policy, since: datetime, appropriated: int | None = None
) -> dict[str, Any]:
    """Return what the draft would have done with all decided applications of its scheme since then.

    With what was ``appropriated`` to its pool (fen), all schemes are read, from the beginning: they share it.
    """
    comparison = WhatIf(compile_policy(draft), appropriated)
    whole = appropriated is not None
    async for page in _pages(database, shelf, None if whole else draft.scheme, BEGINNING if whole else since):
        await asyncio.to_thread(_fed, comparison, shelf, page, draft.scheme, since)
    return await asyncio.to_thread(comparison.result)


async def _pages(
    database: Database, shelf: Shelf, scheme: str | None, since: datetime
) -> AsyncIterator[list[Assessment]]:
    after: Assessment | None = None
    while True:
        async with database.reading() as connection:
            page = await assessments.decided(connection, scheme=scheme, since=since, after=after, limit=_PAGE)
            await policies.stock(connection, shelf, [one.version for one in page])
        if page:
            yield page
        if len(page) < _PAGE:
            return
        after = page[-1]


def _fed(comparison: WhatIf, shelf: Shelf, page: list[Assessment], scheme: str, since: datetime) -> None:
    for one in page:
        policy = shelf.find(*one.version, one.submitted.submitted_at).policy
        if policy.scheme == scheme and one.submitted.submitted_at >= since:
            comparison.feed(one, policy)
        else:
            comparison.beside(one, policy)


def _replayed(shelf: Shelf, page: list[Assessment]) -> list[dict[str, Any]]:
    return [line for one in page if (line := _difference(shelf, one)) is not None]


def _difference(shelf: Shelf, one: Assessment) -> dict[str, Any] | None:
    """Return what was decided and what comes out now, where the two differ."""
    found = replay(shelf, one)
    assert found is not None, "it was decided"
    again, identical = found
    if identical:
        return None
    was = {"outcome": one.outcome, "approved": one.approved, "cap_holder": one.cap_holder, "reasons": one.reasons}
    now = {name: getattr(again, name) for name in was}
    return {
        "application_id": str(one.application_id),
        "scheme": one.submitted.scheme,
        "policy_version": one.policy_version,
        "was": to_builtins({name: was[name] for name in was if was[name] != now[name]}),
        "is": to_builtins({name: now[name] for name in was if was[name] != now[name]}),
    }
