"""Awards end: revoked, expired or closed. What was not claimed goes back, and those who wait are served."""

from typing import Any, Final, Literal

from contracts.events import AwardClosed, AwardExpired, AwardExpiryAnnounced, AwardRevoked
from contracts.money import Money
from contracts.refusal import Refusal
from disbursement import limits, lines, refusals
from disbursement.book import Book
from disbursement.records import Award

Ending = Literal["revoked", "expired", "closed"]
_TYPES: Final[dict[str, str]] = {
    "revoked": AwardRevoked.TYPE,
    "expired": AwardExpired.TYPE,
    "closed": AwardClosed.TYPE,
}


def end(book: Book, award: Award, how: Ending, reason: str) -> None:
    """End an award, give its rest back, tell it, and serve the line. What is obligated goes on being paid."""
    released = award.committed
    award.status, award.ended_at, award.end_reason = how, book.now, reason
    award.next_step_at = None
    book.touch(award)
    release(book, award, command=f"{_TYPES[how]}:{award.award_id}")
    book.say(_ended(book, award, how, released, reason))
    lines.serve(book, award.pool)


def release(book: Book, award: Award, *, command: str) -> None:
    """Give the rest of an ended award back to the pool, the envelope, the cap and the contract's support."""
    amount = award.committed
    if not amount or award.pool is None:
        return
    award.committed, award.released = 0, award.released + amount
    book.touch(award)
    limits.give_back(book, award, amount)
    book.post(
        command=command,
        pool=award.pool,
        source="committed",
        target="available",
        amount=amount,
        reason=_TYPES[award.status],
        award=award,
    )


def _ended(
    book: Book, award: Award, how: Ending, released: int, reason: str
) -> AwardRevoked | AwardExpired | AwardClosed:
    common: dict[str, Any] = {
        "occurred_at": book.now,
        "application_id": award.application_id,
        "scheme": award.scheme,
        "applicant": award.applicant,
        "award_id": award.award_id,
        "released": Money(released),
    }
    match how:
        case "revoked":
            return AwardRevoked(**common, reason=reason)
        case "expired":
            return AwardExpired(**common)
        case "closed":
            return AwardClosed(**common, reason=reason)


def check_running(award: Award | None, award_id: object) -> Award:
    """Return the award; raise a Refusal unless it is there and has not ended."""
    if award is None:
        raise refusals.not_found("award", award_id)
    if not award.running:
        raise Refusal(
            "award_not_active",
            f"该支持已结束（{award.status}）。",
            f"The award is {award.status} already: there is nothing left to end.",
        )
    return award


def on_clock(book: Book, award: Award) -> str | None:
    """Announce an award's end, or let it expire; return the kind of what was due, or None where nothing was."""
    if award.next_step_at is None or award.next_step_at > book.now or not award.running:
        return None
    assert award.expires_at is not None, "a clock that runs has an end"
    if book.now >= award.expires_at:
        end(book, award, "expired", "validity")
        return "expiry"
    award.noticed_at, award.next_step_at = book.now, award.expires_at
    book.touch(award)
    book.say(
        AwardExpiryAnnounced(
            occurred_at=book.now,
            application_id=award.application_id,
            scheme=award.scheme,
            applicant=award.applicant,
            award_id=award.award_id,
            rest=Money(award.committed),
            valid_until=award.valid_until,
        )
    )
    return "expiry_notice"
