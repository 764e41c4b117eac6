"""The lines for money: who waits, in the order of submission, and who is served when money is freed.

A line belongs to a scheme and fiscal year. Nobody overtakes it. Where the first of a line is short of the pool, and
not only of its envelope, nobody else draws on the pool either: freed money goes to those who wait (domain.md, rule 2).
"""

from typing import Any

import msgspec

from contracts.codec import to_builtins
from contracts.common import Reason
from contracts.events import ApplicationApproved, ApplicationWaitlisted, AwardRefused
from contracts.policy import Policy
from disbursement import issuing, limits
from disbursement.book import Book, LineKey
from disbursement.records import Application, Line
from disbursement.records.awards import ShortOf
from kit import accounts

# As many of a line as one transaction may serve. Whoever stands behind them is served by a later one (``wake``).
HEAD_LENGTH = 500


def must_wait(book: Book, policy: Policy, year: int) -> ShortOf | None:
    """Return what a newcomer has to wait for because others wait, or None."""
    if policy.pool is None:
        return None
    if book.pools[policy.pool].on_hold:
        return "pool"
    own = book.lines.get((policy.scheme, year))
    if own is not None and own.waiting:
        return own.short_of
    for line in book.lines.values():
        if line.pool == policy.pool and line.waiting and line.short_of == "pool":
            return "pool"
    return None


def award_or_wait(book: Book, event: ApplicationApproved, application: Application, policy: Policy) -> ShortOf | None:
    """Decide one approval: award, refuse, or return what it has to wait for."""
    amount, limited_by = limits.of(book, event, policy, application.fiscal_year)
    if limited_by in ("envelope", "pool") and (policy.waitlist == "whole" or amount == 0):
        return "envelope" if limited_by == "envelope" else "pool"
    if amount == 0:
        refuse(book, event, application, limits.refusal(limited_by))
    else:
        issuing.issue(book, event, application, policy, amount, limited_by)
    return None


def refuse(
    book: Book, event: ApplicationApproved, application: Application, reason: Reason, *, state: str = "refused"
) -> None:
    """Say that an approved application gets nothing, and why."""
    application.state, application.approval = state, None
    book.touch(application)
    book.say(
        AwardRefused(
            occurred_at=book.now,
            application_id=event.application_id,
            scheme=event.scheme,
            applicant=event.applicant,
            reasons=(reason,),
        )
    )


def join(book: Book, event: ApplicationApproved, application: Application, policy: Policy, short_of: ShortOf) -> None:
    """Put an application in its line, by the time of submission, and tell it."""
    assert policy.pool is not None, "only money is waited for"
    key = (event.scheme, application.fiscal_year)
    line = book.lines.get(key)
    if line is None:
        book.add(line := Line(scheme=key[0], fiscal_year=key[1], pool=policy.pool, short_of=short_of))
    if not line.waiting:
        line.short_of = short_of
    application.state, application.approval = "waitlisted", _kept(book, event)
    _enter(book, key, line, application)
    line.waiting += 1
    book.touch(line, application)
    _tell(book, event, policy.pool, short_of)


def change(book: Book, event: ApplicationApproved, application: Application) -> None:
    """Let an application wait for another sum, in the place that it has."""
    line = book.lines[application.scheme, application.fiscal_year]
    application.approval = _kept(book, event)
    book.touch(application)
    _tell(book, event, line.pool, line.short_of)


def _kept(book: Book, event: ApplicationApproved) -> dict[str, Any]:
    """Return an approval as it waits in line, its account sealed."""
    creditor = accounts.carried(book.keyring, event.application_id, event.creditor)
    approval: dict[str, Any] = to_builtins(msgspec.structs.replace(event, creditor=creditor))
    return approval


def tell_again(book: Book, pool: str) -> None:
    """Tell those who stand first in line on a pool again what they wait for: it was put on hold, or resumed."""
    for key, head in book.heads.items():
        line = book.lines[key]
        for application in head if line.pool == pool else ():
            _tell(book, msgspec.convert(application.approval, ApplicationApproved), pool, line.short_of)


def _tell(book: Book, event: ApplicationApproved, pool: str, short_of: ShortOf) -> None:
    book.say(
        ApplicationWaitlisted(
            occurred_at=book.now,
            application_id=event.application_id,
            scheme=event.scheme,
            applicant=event.applicant,
            pool=pool,
            approved=event.approved,
            short_of=short_of,
            on_hold=book.pools[pool].on_hold is not None,
        )
    )


def _enter(book: Book, key: LineKey, line: Line, application: Application) -> None:
    """Take its place among the loaded heads, unless it stands behind others who are not loaded."""
    head = book.heads.setdefault(key, [])
    if len(head) == line.waiting or (head and _place(application) < _place(head[-1])):
        head.append(application)
        head.sort(key=_place)


def leave(book: Book, application: Application) -> None:
    """Take an application out of its line."""
    key = (application.scheme, application.fiscal_year)
    line = book.lines[key]
    line.waiting -= 1
    book.touch(line)
    book.heads[key] = [waiting for waiting in book.heads.get(key, []) if waiting is not application]


def serve(book: Book, pool: str | None) -> None:
    """Give what is available to those who wait on a pool, first come first served, until the next does not fit."""
    if pool is None or book.pools[pool].on_hold:
        return
    stopped: set[LineKey] = set()
    while (key := _next(book, pool, stopped)) is not None:
        line = book.lines[key]
        if not book.heads.get(key):  # the next one stands further back than was loaded: order needs a new look
            line.wake = True
            book.touch(line)
            return
        short_of = _serve_first(book, key)
        if short_of is not None:
            line.short_of = short_of
            book.touch(line)
            if short_of == "pool":
                return
            stopped.add(key)


def _next(book: Book, pool: str, stopped: set[LineKey]) -> LineKey | None:
    """Return the line whose first was submitted earliest; a line whose first is not loaded comes before all."""
    waiting = [key for key, line in book.lines.items() if line.pool == pool and line.waiting and key not in stopped]
    unknown = [key for key in waiting if not book.heads.get(key)]
    return min(unknown or waiting, key=lambda key: (_first(book, key), key), default=None)


def _first(book: Book, key: LineKey) -> tuple[object, ...]:
    head = book.heads.get(key)
    return _place(head[0]) if head else ()


def _serve_first(book: Book, key: LineKey) -> ShortOf | None:
    application = book.heads[key][0]
    event = msgspec.convert(application.approval, ApplicationApproved)
    policy = book.policy(event.scheme, event.policy_version)
    short_of = award_or_wait(book, event, application, policy)
    if short_of is None:
        leave(book, application)
    return short_of


def _place(application: Application) -> tuple[object, ...]:
    return (application.submitted_at, application.application_id)
