"""What an award may be at most right now: the approval, the cap, the stack limit, the envelope, the pool."""

from typing import Final

from contracts.common import LimitedBy, Reason
from contracts.events import ApplicationApproved
from contracts.policy import Policy
from disbursement import rules
from disbursement.book import Book
from disbursement.records import Award, Company

_REFUSALS: Final[dict[LimitedBy, Reason]] = {
    "cap": rules.CAP_EXHAUSTED,
    "stack_limit": rules.STACK_EXHAUSTED,
}


def of(
    book: Book, event: ApplicationApproved, policy: Policy, year: int, wanted: int | None = None
) -> tuple[int, LimitedBy]:
    """Return how much may be awarded, in fen, and which limit bit (domain.md, rule 1).

    ``wanted`` is what is asked for where it is not all of the approval.
    """
    envelope = book.envelope(policy, year)
    used = cap_used(book, event.scheme, year, event.applicant)
    return rules.award_amount(
        event.approved.amount if wanted is None else wanted,
        cap_left=policy.cap.amount - used if policy.cap else None,
        stack_left=_stack_left(book, event),
        envelope_left=envelope.available if envelope else None,
        pool_left=book.pools[policy.pool].available if policy.pool else 0,
    )


def refusal(limited_by: LimitedBy) -> Reason:
    """Return why nothing is awarded where this limit leaves nothing, and waiting would not help."""
    return _REFUSALS[limited_by]


def cap_used(book: Book, scheme: str, year: int, applicant: str) -> int:
    """Return what the applicant's cap group was granted: the sum over its members as they are known now."""
    granted = 0
    for member in members(book, applicant):
        cap = book.caps.get((scheme, year, member))
        if cap is not None:
            granted += cap.granted
    return granted


def members(book: Book, applicant: str) -> list[str]:
    company = book.companies.get(applicant)
    return company.members if company else [applicant]


def learn_group(book: Book, event: ApplicationApproved) -> None:
    """Keep with whom the applicant shares its cap, unless something newer is known already.

    Kept for each member: the next one to apply may have been assessed before the group was known.
    """
    if not book.companies and event.cap_members in ((), (event.applicant,)):
        return  # as for nearly all: it shares its cap with nobody, and never did
    group = sorted({event.applicant, *event.cap_members})
    for member in group:
        known = book.companies.get(member)
        if known is None:
            if len(group) > 1:
                book.add(Company(uscc=member, members=group, as_of=event.occurred_at))
        elif known.as_of < event.occurred_at:
            known.members, known.as_of = group, event.occurred_at
            book.touch(known)


def take(book: Book, award: Award, amount: int) -> None:
    """Count an award against the company's cap and its contract's support. What is given back counts below nothing."""
    cap = book.cap(award.scheme, award.fiscal_year, award.applicant)
    cap.granted += amount
    book.touch(cap)
    if award.contract_provider is not None and award.contract_number is not None:
        stack = book.stack(award.contract_provider, award.contract_number)
        stack.granted += amount
        book.touch(stack)


def give_back(book: Book, award: Award, amount: int) -> None:
    """Free what the award no longer holds."""
    take(book, award, -amount)


def _stack_left(book: Book, event: ApplicationApproved) -> int | None:
    if event.stack is None or event.contract is None:
        return None
    granted = book.stack(event.contract.provider, event.contract.number).granted
    return event.stack.limit.amount - event.stack.other.amount - granted
