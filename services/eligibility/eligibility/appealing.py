"""An appeal is decided: once, by persons who had no part in the decision. One that is upheld opens it again.

The old decision is kept. The registers are asked anew, and the rules decide on what they say and on what the appeal
settled (``appeals``): nothing is approved on facts that nobody knows.
"""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.common import Text
from contracts.events import AppealDecided
from eligibility import appeals, ballot, refusals, reopening, review, rules
from eligibility.appeals import Upheld
from eligibility.commands import Decide
from eligibility.records import Assessment, Task
from eligibility.review import Standing
from eligibility.shelf import Shelf
from eligibility.store import assessments, hearings, policies, tasks
from kit.idempotency import Answer, answer
from kit.outbox import Announcements


async def decide(
    shelf: Shelf, connection: AsyncConnection, command: Decide, found: Task, now: datetime, said: Announcements
) -> Answer:
    """Vote on an appeal; the vote that settles it is told at once."""
    held = (await assessments.lock(connection, [found.application_id])).get(found.application_id)
    task = await ballot.mine(connection, command)
    lodged = await hearings.appeal(connection, task.application_id)
    assert held is not None, "only what was decided is appealed against"
    assert lodged is not None, "its task was opened with it"
    await policies.stock(connection, shelf, [held.version])
    book = shelf.find(*held.version, held.submitted.submitted_at)
    seen = review.hash_of(appeals.seen(held.facts or {}, lodged))
    votes = await tasks.votes_on(connection, held.application_id, held.submitted.applicant)
    if any(vote.officer == command.by and vote.facts != seen for vote in votes):
        raise refusals.decided_before()
    asked = appeals.review_of(book.policy.review)
    computed = rules.computed(book, held.submitted, held.facts or {}).amount
    ballot.check_vote(review.standing(asked, computed, votes, seen, now), command)
    lasting = appeals.BINDING & set(appeals.wanting(held.reasons or ()))
    if command.approve and lasting:
        raise refusals.not_to_waive(sorted(lasting))
    vote = ballot.vote(command, seen, now)
    await ballot.cast(connection, task, vote, command)
    standing = review.standing(asked, computed, [*votes, vote], seen, now)
    if standing.outcome != "open":
        await _settle(shelf, connection, held, standing, command.reasons, now, said)
    return answer(200, ballot.told(task, standing))


async def _settle(
    shelf: Shelf,
    connection: AsyncConnection,
    held: Assessment,
    standing: Standing,
    words: Text,
    now: datetime,
    said: Announcements,
) -> None:
    upheld = standing.outcome == "approved"
    outcome = Upheld(
        waived=appeals.wanting(held.reasons or ()),
        amount=standing.amount,
        by=tuple(vote.officer for vote in standing.counted),
        words=words,
        at=now,
    )
    await hearings.settle_appeal(connection, held.application_id, outcome, now, upheld=upheld)
    await tasks.close_all(connection, {held.application_id: "upheld" if upheld else "dismissed"})
    submitted = held.submitted
    said.say(
        AppealDecided(
            occurred_at=now,
            application_id=submitted.application_id,
            scheme=submitted.scheme,
            applicant=submitted.applicant,
            upheld=upheld,
            reasons=(appeals.reason(words, upheld=upheld),),
        )
    )
    if upheld:
        await reopening.reopen(shelf, connection, held, "appeal", now)
