"""Ranking calls over the database: who takes part, who may score, what the ranking would be."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.policy import Policy, Ranking
from eligibility import refusals, rules, waits
from eligibility.ranking import Entry, Placed, missing, rank
from eligibility.records import Assessment
from eligibility.shelf import Shelf
from eligibility.store import assessments, calls, policies, tasks


async def rules_of(
    shelf: Shelf, connection: AsyncConnection, scheme: str, version: str
) -> tuple[Policy, Ranking, datetime]:
    """Return a call's policy, its rules, and when it closes."""
    recorded = {one["version"] for one in await policies.read(connection, scheme)}
    if version not in recorded:
        raise refusals.no_call(scheme, version)
    await policies.stock(connection, shelf, [(scheme, version)])
    policy = shelf.find(scheme, version, await assessments.now(connection)).policy
    if policy.ranking is None:
        raise refusals.no_call(scheme, version)
    return policy, policy.ranking, max(window.closes_at for window in policy.windows)


async def check_score(
    shelf: Shelf, connection: AsyncConnection, application_id: UUID, panellist: str, points: int
) -> None:
    """Refuse unless a person may score an application now, with these points."""
    found = await assessments.find(connection, application_id)
    if found is None:
        raise refusals.not_found("assessment", str(application_id))
    scheme, version = found.version
    _, asked, _ = await rules_of(shelf, connection, scheme, version)
    await calls.lock(connection, scheme, version)
    ranked = await calls.find(connection, scheme, version) is not None
    open_ = await calls.members(connection, scheme, version)
    if ranked or open_.get(application_id) != waits.PANEL:
        raise refusals.not_to_score()
    if await tasks.has_interest(connection, panellist, found.submitted.applicant):
        raise refusals.interested(found.submitted.applicant)
    if not 0 <= points <= asked.scale:
        raise refusals.score_out_of_scale(asked.scale)
    others = set((await calls.scores(connection, [application_id])).get(application_id, {})) - {panellist}
    if len(others) >= asked.panel:
        raise refusals.panel_complete(asked.panel)


async def ranking(shelf: Shelf, connection: AsyncConnection, scheme: str, version: str, now: datetime) -> list[Placed]:
    """Return the ranking of a call; refuse while it is open, or lacks facts or scores."""
    _, asked, closes_at = await rules_of(shelf, connection, scheme, version)
    if now < closes_at:
        raise refusals.call_open(closes_at.isoformat())
    open_ = await calls.members(connection, scheme, version)
    taking_part = [key for key, holder in open_.items() if holder == waits.PANEL]
    entries = await _entries(shelf, connection, taking_part)
    lacking = missing(asked, entries)
    if len(taking_part) < len(open_) or lacking:
        raise refusals.call_incomplete(len(open_) - len(taking_part), sum(lacking.values()))
    return rank(asked, f"{scheme}/{version}", entries)


async def _entries(shelf: Shelf, connection: AsyncConnection, ids: list[UUID]) -> list[Entry]:
    held = await assessments.lock(connection, ids)
    scores = await calls.scores(connection, ids)
    return [_entry(shelf, one, scores.get(key, {})) for key, one in held.items()]


def _entry(shelf: Shelf, one: Assessment, scores: dict[str, int]) -> Entry:
    book = shelf.find(*one.version, one.submitted.submitted_at)
    computed = rules.computed(book, one.submitted, one.facts or {}).amount
    return Entry(one.application_id, computed, one.submitted.submitted_at, scores)
