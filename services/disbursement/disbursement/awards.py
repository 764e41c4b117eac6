"""Applications become awards: issued, waitlisted or refused; and taken back when the application is withdrawn."""

import secrets
from datetime import datetime
from typing import Any, Final

import msgspec

from contracts.codec import to_builtins
from contracts.common import Reason
from contracts.events import (
    ApplicationApproved,
    ApplicationWaitlisted,
    ApplicationWithdrawn,
    AwardIssued,
    AwardRefused,
    AwardRevoked,
)
from contracts.money import Money
from contracts.policy import Policy
from disbursement import rules
from disbursement.book import Book
from disbursement.records import Application, Award
from kit.identifiers import uuid7
from kit.messages import Message

_CODE_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # nothing that reads like something else


def on_application_approved(book: Book, event: ApplicationApproved, _message: Message) -> None:
    """Award as much as every limit allows; wait in line where the envelope or the pool is short."""
    known = book.applications.get(event.application_id)
    if known is not None and known.state != "withdrawn":
        return  # decided before: a re-assessment comes as an event of its own
    policy = book.policy(event.scheme, event.policy_version)
    if known is not None:
        _refuse(book, event, known, rules.WITHDRAWN, state="withdrawn")
        return
    application = Application(
        application_id=event.application_id,
        applicant=event.applicant,
        scheme=event.scheme,
        fiscal_year=rules.fiscal_year(book.now, policy.timezone),
        state="approved",
        submitted_at=event.submitted_at,
        approval=to_builtins(event),
    )
    book.add(application)
    if book.has_line(event.scheme, application.fiscal_year):
        _wait(book, event, application, "envelope")  # others wait already: nobody overtakes them
    else:
        _award_or_wait(book, event, application, policy)


def _award_or_wait(book: Book, event: ApplicationApproved, application: Application, policy: Policy) -> bool:
    """Decide one approval; return False when it has to wait for money."""
    envelope = book.envelope(policy, application.fiscal_year)
    cap = book.cap(event.scheme, application.fiscal_year, event.cap_holder)
    amount, limited_by = rules.award_amount(
        event.approved.amount,
        cap_left=policy.cap.amount - cap.granted if policy.cap else None,
        envelope_left=envelope.available if envelope else None,
        pool_left=book.pools[policy.pool].available if policy.pool else 0,
    )
    short = limited_by in ("envelope", "pool")
    if short and (policy.waitlist == "whole" or amount == 0):
        _wait(book, event, application, limited_by)
        return False
    if amount == 0:
        _refuse(book, event, application, rules.CAP_EXHAUSTED)
    else:
        _issue(book, event, application, policy, amount, limited_by)
    return True


def _issue(
    book: Book,
    event: ApplicationApproved,
    application: Application,
    policy: Policy,
    amount: int,
    limited_by: Any,
) -> None:
    cap = book.cap(event.scheme, application.fiscal_year, event.cap_holder)
    award = Award(
        award_id=uuid7(),
        application_id=event.application_id,
        applicant=event.applicant,
        scheme=event.scheme,
        fiscal_year=application.fiscal_year,
        pool=policy.pool,
        district=event.district,
        cap_holder=event.cap_holder,
        policy_version=event.policy_version,
        kind=event.kind,
        voucher_code=_voucher_code(policy) if event.kind == "voucher" else None,
        rate=event.rate,
        approved=event.approved.amount,
        awarded=amount,
        committed=amount,
        limited_by=limited_by,
        creditor=to_builtins(event.creditor),
        issued_at=book.now,
        valid_from=book.now,
        valid_until=rules.months_later(book.now, policy.validity_months),
    )
    assert award.pool is not None, "money is awarded from a pool"
    book.add(award)
    cap.granted += amount
    application.state, application.approval = "awarded", None
    book.touch(cap, application)
    book.post(
        command=f"award.issued:{event.application_id}",
        pool=award.pool,
        source="available",
        target="committed",
        amount=amount,
        reason=AwardIssued.TYPE,
        award=award,
    )
    book.say(_issued(award, book.now))


def _issued(award: Award, now: datetime) -> AwardIssued:
    return AwardIssued(
        occurred_at=now,
        application_id=award.application_id,
        scheme=award.scheme,
        applicant=award.applicant,
        award_id=award.award_id,
        pool=award.pool,
        district=award.district,
        policy_version=award.policy_version,
        kind=award.kind,
        voucher_code=award.voucher_code,
        approved=Money(award.approved),
        awarded=Money(award.awarded),
        limited_by=award.limited_by,
        valid_from=award.valid_from,
        valid_until=award.valid_until,
    )


def _voucher_code(policy: Policy) -> str:
    """Return a code that nobody guesses: 16 of 31 letters and digits are 79 bits."""
    letters = "".join(secrets.choice(_CODE_ALPHABET) for _ in range(16))
    return "-".join([policy.number_prefix, *(letters[start : start + 4] for start in range(0, 16, 4))])


def _wait(book: Book, event: ApplicationApproved, application: Application, short_of: Any) -> None:
    """Put the application in line, in the order of submission; telling it once is enough."""
    line = book.waiting.setdefault((event.scheme, application.fiscal_year), [])
    if application.state == "waitlisted":
        return
    application.state = "waitlisted"
    line.append(application)
    line.sort(key=lambda waiting: (waiting.submitted_at, waiting.application_id))
    pool = book.policy(event.scheme, event.policy_version).pool or ""
    book.say(
        ApplicationWaitlisted(
            occurred_at=book.now,
            application_id=event.application_id,
            scheme=event.scheme,
            applicant=event.applicant,
            pool=pool,
            approved=event.approved,
            short_of=short_of,
        )
    )


def _refuse(
    book: Book, event: ApplicationApproved, application: Application, reason: Reason, *, state: str = "refused"
) -> None:
    application.state, application.approval = state, None
    book.say(
        AwardRefused(
            occurred_at=book.now,
            application_id=event.application_id,
            scheme=event.scheme,
            applicant=event.applicant,
            reasons=(reason,),
        )
    )


def on_application_withdrawn(book: Book, event: ApplicationWithdrawn, _message: Message) -> None:
    """Take back what was promised, if it was; remember the withdrawal, if the approval is still on its way."""
    application = book.applications.get(event.application_id)
    if application is None:
        application = Application(
            application_id=event.application_id,
            applicant=event.applicant,
            scheme=event.scheme,
            fiscal_year=0,
            state="withdrawn",
            submitted_at=event.occurred_at,
        )
        book.add(application)
    elif application.state == "waitlisted":
        line = book.waiting.get((application.scheme, application.fiscal_year), [])
        line[:] = [waiting for waiting in line if waiting is not application]
    book.touch(application)
    application.state, application.approval = "withdrawn", None
    award = next((found for found in book.awards.values() if found.application_id == event.application_id), None)
    if award is not None and award.status == "active":
        _revoke(book, award, reason=ApplicationWithdrawn.TYPE)
        _serve_waitlist(book, award.scheme, award.fiscal_year)


def _revoke(book: Book, award: Award, *, reason: str) -> None:
    """End an award and give its rest back to the pool, the envelope and the cap."""
    released = award.committed
    award.status, award.committed, award.released = "revoked", 0, award.released + released
    book.touch(award)
    if released and award.pool:
        cap = book.cap(award.scheme, award.fiscal_year, award.cap_holder)
        cap.granted -= released
        book.touch(cap)
        book.post(
            command=f"{AwardRevoked.TYPE}:{award.award_id}",
            pool=award.pool,
            source="committed",
            target="available",
            amount=released,
            reason=AwardRevoked.TYPE,
            award=award,
        )
    book.say(
        AwardRevoked(
            occurred_at=book.now,
            application_id=award.application_id,
            scheme=award.scheme,
            applicant=award.applicant,
            award_id=award.award_id,
            released=Money(released),
            reason=reason,
        )
    )


def _serve_waitlist(book: Book, scheme: str, year: int) -> None:
    """Give freed money to those who wait, first come first served, until the first one that still does not fit."""
    line = book.waiting.get((scheme, year), [])
    while line:
        application = line[0]
        event = msgspec.convert(application.approval, ApplicationApproved)
        book.touch(application)
        if not _award_or_wait(book, event, application, book.policy(scheme, event.policy_version)):
            return
        line.pop(0)
