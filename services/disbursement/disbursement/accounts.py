"""Accounts: finance is asked whose one is, before it is first paid to (``verifications`` hears the answer)."""

from typing import Any

from contracts import common
from contracts.events import AccountVerificationRequested
from disbursement import creditors, waits
from disbursement.book import Book
from disbursement.records import Account, Award
from kit.identifiers import uuid7
from kit.sealing import Keyring


def known(book: Book, award: Award, creditor: dict[str, Any]) -> Account:
    """Return the company's account; ask finance about it where this is the first time that we hear of it."""
    clear = creditors.opened(book.keyring, award.application_id, creditor)
    known_by = creditors.fingerprint(book.keyring, award.applicant, clear)
    account = book.accounts.get((award.applicant, known_by))
    if account is None:
        account = Account(
            verification_id=uuid7(),
            applicant=award.applicant,
            name=creditor["name"],
            account=creditor.get("mask") or creditor["account"],
            bank_code=creditor["bank_code"],
            sealed=creditor.get("sealed"),
            fingerprint=known_by,
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
        creditor=opened(book.keyring, account),
        question=account.questions,
    )


def opened(keyring: Keyring, account: Account) -> common.Account:
    """Return an account in clear."""
    kept = {"name": account.name, "account": account.account, "bank_code": account.bank_code}
    return creditors.opened(
        keyring, account.application_id, kept | ({"sealed": account.sealed} if account.sealed else {})
    )


def fingerprint(book: Book, account: Account) -> str:
    """Return what an account is known by."""
    return creditors.fingerprint(book.keyring, account.applicant, opened(book.keyring, account))
