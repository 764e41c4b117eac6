"""Finance's answers about accounts free the payments that waited for them, or hold them until there is a better one."""

from contracts.events import AccountRejected, AccountVerified
from disbursement import payments, reports, waits
from disbursement.book import Book
from disbursement.records import Account
from kit.messages import Message


def on_account_verified(book: Book, event: AccountVerified, message: Message) -> None:
    """Pay what waited for this account."""
    account = _answered(book, event, message, "verified")
    if account is not None:
        for payment in book.held_by(account.verification_id):
            payments.proceed(book, payment)


def on_account_rejected(book: Book, event: AccountRejected, message: Message) -> None:
    """Hold what waited for this account until finance has a better one."""
    account = _answered(book, event, message, "rejected")
    if account is not None:
        account.reason_code = event.reason_code
        for payment in book.held_by(account.verification_id):
            payments.proceed(book, payment)
            payments.say_unpaid(book, payment, event.reason_code)


def _answered(book: Book, event: AccountVerified | AccountRejected, message: Message, status: str) -> Account | None:
    """Keep the answer; return the account if it was waiting for one. The first answer counts."""
    account = next((each for each in book.accounts.values() if each.verification_id == event.verification_id), None)
    if account is None:
        effect, detail = "discrepancy", "nobody asked about such an account"
    elif account.status == "asked":
        effect, detail = "moved", ""
    elif account.status == status:
        effect, detail = "duplicate", f"already {status}"
    else:
        effect, detail = "discrepancy", f"the account was {account.status} before"
    reports.keep(book, event, message, effect, detail, verification_id=event.verification_id)
    if account is None or effect != "moved":
        return None
    account.status, account.answered_at = status, book.now
    waits.begin(account, book.policy(account.scheme, account.policy_version).clocks, book.now)
    book.touch(account)
    return account
