"""An approval becomes an award: money is committed, limits are taken, the account is asked about."""

import secrets
from collections.abc import Iterator
from datetime import datetime
from itertools import cycle, islice, product
from struct import Struct
from typing import Final

from contracts.codec import to_builtins
from contracts.common import LimitedBy
from contracts.events import ApplicationApproved, AwardIssued
from contracts.money import Money
from contracts.policy import Policy
from disbursement import accounts, creditors, limits, waits
from disbursement.book import Book
from disbursement.records import Application, Award
from kit.identifiers import uuid7

_CODE_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # nothing that reads like something else
_PAIRS: Final = tuple("".join(pair) for pair in islice(cycle(product(_CODE_ALPHABET, repeat=2)), 1 << 16))
"""A pair for each number of 16 bits: what divides them unevenly makes a pair likelier by a hundredth at most."""
_NUMBERS: Final = Struct("8H")


def _draw() -> Iterator[tuple[int, ...]]:
    """Yield eight random numbers of 16 bits, asking the system for many at a time."""
    while True:
        yield from _NUMBERS.iter_unpack(secrets.token_bytes(_NUMBERS.size * 256))


_DRAWN: Final = _draw()


def issue(
    book: Book,
    event: ApplicationApproved,
    application: Application,
    policy: Policy,
    amount: int,
    limited_by: LimitedBy,
) -> None:
    """Award ``amount`` fen to an application."""
    award = _award(book, event, application, policy, amount, limited_by)
    assert award.pool is not None, "money is awarded from a pool"
    waits.begin_award(award, policy, book.now)
    book.add(award)
    limits.take(book, award, amount)
    application.state, application.approval = "awarded", None
    book.touch(application)
    book.post(
        command=f"{AwardIssued.TYPE}:{to_builtins(event.application_id)}",  # which costs a fifth of its str()
        pool=award.pool,
        source="available",
        target="committed",
        amount=amount,
        reason=AwardIssued.TYPE,
        award=award,
    )
    book.say(_issued(award, book.now))
    if policy.payments.verify_account:
        accounts.known(book, award, award.creditor)


def accredit(book: Book, event: ApplicationApproved, application: Application, policy: Policy) -> None:
    """Award what is no money: an accreditation, drawn from no pool, so that no limit and no transfer has a part in it.

    It expires, is revoked and told as any other award; nothing can be claimed on it.
    """
    assert policy.pool is None, "money is awarded by issue"
    award = _award(book, event, application, policy, 0, "approved")
    waits.begin_award(award, policy, book.now)
    book.add(award)
    application.state, application.approval = "awarded", None
    book.touch(application)
    book.say(_issued(award, book.now))


def _award(
    book: Book,
    event: ApplicationApproved,
    application: Application,
    policy: Policy,
    amount: int,
    limited_by: LimitedBy,
) -> Award:
    contract = event.contract
    return Award(
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
        creditor=creditors.kept(book.keyring, event.application_id, event.creditor),
        issued_at=book.now,
        valid_from=book.now,
        valid_until=book.valid_until(policy),
        contract_provider=contract.provider if contract and event.stack else None,
        contract_number=contract.number if contract and event.stack else None,
    )


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
    pairs = [_PAIRS[number] for number in next(_DRAWN)]
    return "{}-{}{}-{}{}-{}{}-{}{}".format(policy.number_prefix, *pairs)
