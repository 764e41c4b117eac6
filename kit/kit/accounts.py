"""Bank accounts between services: masked and sealed by the first that has one, opened by the one that pays to it.

Who carries one on, and the topics and backups, need no key for it. It is bound to the application that it came with.
"""

from uuid import UUID

import msgspec

from contracts.codec import to_builtins
from contracts.common import Account
from kit import masking
from kit.errors import PermanentError
from kit.sealing import Keyring


class Holder(msgspec.Struct, frozen=True):
    """What is inside a sealed account: whose it is, and its number."""

    name: str
    account: str


def carried(keyring: Keyring, application_id: UUID, account: Account, company: str | None = None) -> Account:
    """Return an account as it may be carried on: masked and sealed, if it is not yet.

    A holder's name that is the company's own is no secret; any other may be a person's, and is masked.
    Raises PermanentError for a mask that hides nothing.
    """
    if account.sealed is not None:
        return account
    if masking.is_masked(account.account):
        raise PermanentError(f"the account of {application_id} is a mask without what it hides: who sent it is too old")
    if not keyring.seals:
        return account
    sealed = keyring.seal(msgspec.json.encode(Holder(account.name, account.account)), about(application_id))
    return masked(account, company, sealed)


def masked(account: Account, company: str | None = None, sealed: str | None = None) -> Account:
    """Return the mask of an account in clear."""
    name = account.name if account.name == company else masking.name(account.name)
    return Account(name, masking.number(account.account), account.bank_code, sealed)


def opened(keyring: Keyring, application_id: UUID, account: Account) -> Account:
    """Return an account in clear. Raises SealedError, also for one that was erased."""
    if account.sealed is None:
        return account
    holder = msgspec.json.decode(keyring.open(account.sealed, about(application_id)), type=Holder)
    return Account(holder.name, holder.account, account.bank_code)


def resealed(keyring: Keyring, application_id: UUID, account: Account, company: str | None = None) -> Account:
    """Return an account sealed under the first key. Raises SealedError."""
    if account.sealed is None:
        return carried(keyring, application_id, account, company)
    return msgspec.structs.replace(account, sealed=keyring.reseal(account.sealed, about(application_id)))


def shown(account: Account) -> Account:
    """Return an account as people are shown it."""
    return masked(account) if account.sealed is None else msgspec.structs.replace(account, sealed=None)


def about(application_id: UUID) -> str:
    """Return what an application's account is bound to, so that it can't be opened under another one."""
    return f"account:{to_builtins(application_id)}"
