"""Pools and envelopes are raised, lowered, put on hold and resumed."""

from uuid import UUID

from contracts.refusal import Refusal
from disbursement import lines, refusals
from disbursement.book import Book
from disbursement.records import Books, Envelope, Order, Pool

SET = "appropriation.set"


def check_pool(book: Book, pool: str, amount: int) -> Pool:
    """Return the pool; raise a Refusal for an unknown one and for a sum below what is promised and paid."""
    found = book.pools.get(pool)
    if found is None:
        raise refusals.not_found("pool", pool)
    _check_sum(found, amount)
    return found


def check_envelope(book: Book, scheme: str, year: int, amount: int) -> Envelope:
    """Return the envelope, set as in the policy where it is not in use yet; raise a Refusal as for a pool."""
    policy = book.latest_policy(scheme)
    envelope = book.envelopes.get((scheme, year)) or (book.envelope(policy, year) if policy else None)
    if envelope is None:
        raise refusals.not_found("envelope", f"{scheme} {year}")
    _check_sum(envelope, amount)
    return envelope


def _check_sum(books: Books, amount: int) -> None:
    least = books.appropriated - books.available
    if amount < least:
        raise Refusal(
            "below_committed",
            f"/money：不得低于已承诺和已支付的 {least} 分。",
            f"/money: {least} fen are promised or paid already; it can't be less.",
            status=422,
            pointer="/money",
        )


def set_pool(book: Book, pool: Pool, amount: int, order_id: UUID) -> None:
    """Raise or lower a pool by one transfer; whoever waits is served from what was added."""
    change = amount - pool.appropriated
    if change:
        source, target = ("appropriated", "available") if change > 0 else ("available", "appropriated")
        book.post(
            command=f"{SET}:{order_id}",
            pool=pool.pool,
            source=source,
            target=target,
            amount=abs(change),
            reason=SET,
            order_id=order_id,
        )
    lines.serve(book, pool.pool)


def set_envelope(book: Book, envelope: Envelope, amount: int, order: Order) -> None:
    """Raise or lower an envelope: a limit, so no money moves; whoever waits is served from what was added."""
    change = amount - envelope.appropriated
    envelope.appropriated += change
    envelope.available += change
    book.touch(envelope)
    book.tell_envelope(envelope, order.reason, order.order_id)
    lines.serve(book, envelope.pool)


def check_resumable(book: Book, pool: str) -> Pool:
    """Return the pool; raise a Refusal unless it is on hold and its books agree.

    To hold it again at the next look would be too late: resuming serves the line at once, from books that differ.
    """
    found = book.pools.get(pool)
    if found is None:
        raise refusals.not_found("pool", pool)
    if found.on_hold is None:
        raise refusals.wrong_state("pool", "open", "on hold")
    if checks := ", ".join(book.differences.get(pool, [])):
        raise Refusal(
            "books_differ",
            f"账目仍不一致（{checks}），消除差异后方可恢复。详见 /v1/reconciliation。",
            f"The books still differ ({checks}): mend that first. What it is: /v1/reconciliation.",
        )
    return found


def hold(book: Book, pool: Pool, why: str) -> None:
    """Award nothing more from a pool until two persons resume it; payments and reads go on."""
    pool.on_hold = why
    book.touch(pool)


def resume(book: Book, pool: Pool) -> None:
    """Award from a pool again, first to those who waited meanwhile."""
    pool.on_hold = None
    book.touch(pool)
    lines.serve(book, pool.pool)
    lines.tell_again(book, pool.pool)
