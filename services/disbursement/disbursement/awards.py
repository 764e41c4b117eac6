"""Applications become awards, wait in line, or are refused; and are taken back when they are withdrawn."""

from contracts.events import ApplicationApproved, ApplicationWithdrawn
from disbursement import endings, issuing, limits, lines, rules
from disbursement.book import Book
from disbursement.records import Application
from kit.messages import Message


def on_application_approved(book: Book, event: ApplicationApproved, _message: Message) -> None:
    """Award as much as every limit allows; wait in line where the envelope or the pool is short."""
    known = book.applications.get(event.application_id)
    if known is not None and known.state != "withdrawn":
        return  # decided before: a re-assessment comes as an event of its own
    policy = book.policy(event.scheme, event.policy_version)
    if known is not None:
        lines.refuse(book, event, known, rules.WITHDRAWN, state="withdrawn")
        return
    application = Application(
        application_id=event.application_id,
        applicant=event.applicant,
        scheme=event.scheme,
        fiscal_year=book.year(policy),
        state="approved",
        submitted_at=event.submitted_at,
    )
    book.add(application)
    if policy.pool is None:
        issuing.accredit(book, event, application, policy)
        return
    limits.learn_group(book, event)
    short_of = lines.must_wait(book, policy, application.fiscal_year)
    if short_of is None:
        short_of = lines.award_or_wait(book, event, application, policy)
    if short_of is not None:
        lines.join(book, event, application, policy, short_of)


def on_application_withdrawn(book: Book, event: ApplicationWithdrawn, _message: Message) -> None:
    """Take back what was promised, if it was; remember the withdrawal, if the approval is still on its way."""
    application = book.applications.get(event.application_id)
    if application is None:
        book.add(
            Application(
                application_id=event.application_id,
                applicant=event.applicant,
                scheme=event.scheme,
                fiscal_year=0,
                state="withdrawn",
                submitted_at=event.occurred_at,
            )
        )
        return
    waited = application.state == "waitlisted"
    application.state, application.approval = "withdrawn", None
    book.touch(application)
    if waited:
        lines.leave(book, application)
        lines.serve(book, book.lines[application.scheme, application.fiscal_year].pool)
    award = next((found for found in book.awards.values() if found.application_id == event.application_id), None)
    if award is not None and award.status == "active":
        endings.end(book, award, "revoked", ApplicationWithdrawn.TYPE)
