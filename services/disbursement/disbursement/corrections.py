"""An approval was decided anew: the award follows, by the difference and no more (domain.md, rule 11).

More is added as far as the limits allow now. Less is taken back: what was not claimed at once, what was claimed by a
demand, as soon as the bank has paid it.
"""

from typing import Final

from contracts.events import ApplicationReassessed, AwardChanged
from contracts.money import Money
from disbursement import endings, limits, lines, recoveries, rules, waits
from disbursement.book import Book
from disbursement.records import Application, Award
from kit.errors import PermanentError
from kit.messages import Message

_REASON: Final = "重新审核后，已支付金额超过应支持金额"  # more was paid than stands after the re-assessment


def on_application_reassessed(book: Book, event: ApplicationReassessed, message: Message) -> None:
    """Let the award, or the place in the line, follow the new decision."""
    application = book.applications.get(event.application_id)
    if application is None:
        raise PermanentError(f"{event.application_id} was decided anew, and its approval never came")
    if event.cap_members:  # not known of one that was rejected while its register was away
        limits.learn_group(book, event)
    if application.state == "waitlisted":
        _change_waiting(book, event, application)
    elif application.state == "awarded":
        award = next(found for found in book.awards.values() if found.application_id == event.application_id)
        _change(book, event, award, f"{AwardChanged.TYPE}:{message.id}")


def follow(book: Book, award: Award, command: str) -> int:
    """Take back what an award holds above its corrected sum, as far as it can be now; return what was freed (fen).

    ``command`` names the cause. Called whenever an award with an ``excess`` has changed.
    """
    if not award.excess:
        return 0
    award.excess = _excess(book, award)
    freed = min(award.excess, award.committed)
    if freed and award.pool is not None:
        award.committed, award.released = award.committed - freed, award.released + freed
        award.excess -= freed
        limits.give_back(book, award, freed)
        _post(book, award, command, "committed", "available", freed)
    due = min(award.excess, award.disbursed - recoveries.demanded(book, award))
    if due > 0:
        recoveries.demand(book, award, due, _REASON)
        award.excess -= due
    book.touch(award)
    return freed


def _excess(book: Book, award: Award) -> int:
    """Return what an award holds above its corrected sum and was not asked back (fen)."""
    stands = award.approved if award.corrected_to is None else award.corrected_to
    held = award.awarded - award.released
    return max(0, held - recoveries.demanded(book, award) - recoveries.written_off(book, award) - stands)


def _change_waiting(book: Book, event: ApplicationReassessed, application: Application) -> None:
    """Wait for the new sum in the old place, or leave the line."""
    pool = book.lines[application.scheme, application.fiscal_year].pool
    if event.outcome == "rejected":
        lines.leave(book, application)
        lines.refuse(book, event, application, rules.REASSESSED)
    else:
        lines.change(book, event, application)
    lines.serve(book, pool)


def _change(book: Book, event: ApplicationReassessed, award: Award, command: str) -> None:
    held = award.awarded - award.released
    award.corrected_to = event.approved.amount
    award.approved = max(award.approved, event.approved.amount)
    book.touch(award)
    if event.outcome == "rejected":
        if award.running:
            endings.end(book, award, "revoked", event.because.zh)
        award.excess = _excess(book, award)
        follow(book, award, command)
        return
    if award.pool is None:
        return  # an accreditation stands or falls
    award.rate = event.rate
    added = freed = 0
    if event.approved.amount > held:
        added = _add(book, event, award, event.approved.amount - held, command)
    else:
        award.excess = _excess(book, award)
        freed = follow(book, award, command)
    if award.running:
        award.status = "active" if award.committed else "exhausted"
        if award.committed:
            waits.begin_award(award, book.policy_of(award), book.now)
        else:
            award.next_step_at = None
    tell(book, award, added=added, freed=freed)
    lines.serve(book, award.pool)


def _add(book: Book, event: ApplicationReassessed, award: Award, wanted: int, command: str) -> int:
    """Commit more to a running award, as far as every limit allows; nobody who waits is overtaken."""
    policy = book.policy_of(award)
    if not award.running or award.pool is None or lines.must_wait(book, policy, award.fiscal_year):
        return 0
    amount, limited_by = limits.of(book, event, policy, award.fiscal_year, wanted)
    if amount == 0:
        return 0
    award.awarded, award.committed = award.awarded + amount, award.committed + amount
    award.limited_by = limited_by
    limits.take(book, award, amount)
    _post(book, award, command, "available", "committed", amount)
    return amount


def _post(book: Book, award: Award, command: str, source: str, target: str, amount: int) -> None:
    assert award.pool is not None, "money is moved in a pool"
    book.post(
        command=command,
        pool=award.pool,
        source=source,
        target=target,
        amount=amount,
        reason=AwardChanged.TYPE,
        award=award,
    )


def tell(book: Book, award: Award, *, added: int, freed: int) -> None:
    """Tell how an award followed a correction."""
    stands = award.approved if award.corrected_to is None else award.corrected_to
    book.say(
        AwardChanged(
            occurred_at=book.now,
            application_id=award.application_id,
            scheme=award.scheme,
            applicant=award.applicant,
            award_id=award.award_id,
            approved=Money(stands),
            added=Money(added),
            released=Money(freed),
            rest=Money(award.committed),
            to_recover=Money(award.excess),
            limited_by=award.limited_by,
        )
    )
