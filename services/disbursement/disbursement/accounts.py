"""Accounts: finance is asked whose one is, before it is first paid to (``verifications`` hears the answer)."""

from typing import Any

import msgspec

from contracts import common
from contracts.events import AccountVerificationRequested
from disbursement import waits
from disbursement.book import Book
from disbursement.records import Account, Award
from kit.identifiers import uuid7


def known(book: Book, award: Award, creditor: dict[str, Any]) -> Account:
    """Return the company's account; ask finance about it where this is the first time that we hear of it."""
    key = (award.applicant, creditor["name"], creditor["account"], creditor["bank_code"])
    account = book.accounts.get(key)
    if account is None:
        account = Account(
            verification_id=uuid7(),
            applicant=award.applicant,
            name=creditor["name"],
            account=creditor["account"],
            bank_code=creditor["bank_code"],
            application_id=award.application_id,
            scheme=award.scheme,
            policy_version=award.policy_version,
            asked_at=book.now,
            questions=1,
        )
        waits.begin(account, book.policy_of(award).clocks, book.now)
        book.add(account)
        book.say(question(book, account))
    return account


def question(book: Book, account: Account) -> AccountVerificationRequested:
    """Return the question whose the account is."""
    return AccountVerificationRequested(
        occurred_at=book.now,
        application_id=account.application_id,
        scheme=account.scheme,
        applicant=account.applicant,
        verification_id=account.verification_id,
        creditor=msgspec.convert(
            {"name": account.name, "account": account.account, "bank_code": account.bank_code}, common.Account
        ),
        question=account.questions,
    )
