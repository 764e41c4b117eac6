"""Accounts that money is paid to: kept sealed, opened where finance is told, shown masked.

Kept is ``{name, mask, bank_code, sealed}``: ``mask`` and not ``account``, so that nothing that does not know of sealing
takes the mask for an account and pays to it. What was kept before, ``{name, account, bank_code}``, is in clear.
"""

from typing import Any
from uuid import UUID

import msgspec

from contracts.codec import to_builtins
from contracts.common import Account
from kit import accounts, masking, sealing
from kit.sealing import Keyring

Kept = dict[str, Any]


def kept(keyring: Keyring, application_id: UUID, account: Account) -> Kept:
    """Return an account as awards and payments keep it. Raises PermanentError for a mask that hides nothing."""
    found: Kept = to_builtins(accounts.carried(keyring, application_id, account))
    return found if "sealed" not in found else {_MASK if name == _ACCOUNT else name: found[name] for name in found}


def opened(keyring: Keyring, application_id: UUID, creditor: Kept) -> Account:
    """Return a kept account in clear, to pay to it. Raises SealedError, also where it was erased."""
    return accounts.opened(keyring, application_id, _carried(creditor))


def resealed(keyring: Keyring, application_id: UUID, creditor: Kept) -> Kept:
    """Return a kept account, sealed under the first key. Raises SealedError."""
    return kept(keyring, application_id, accounts.resealed(keyring, application_id, _carried(creditor)))


def carried_again(keyring: Keyring, application_id: UUID, creditor: Kept) -> Kept:
    """Return an account as approvals and orders carry it, sealed under the first key. Raises SealedError."""
    found: Kept = to_builtins(accounts.resealed(keyring, application_id, _carried(creditor)))
    return found


def erased(creditor: Kept) -> Kept:
    """Return what is left of a kept or carried account."""
    return {**dict.fromkeys(creditor, masking.HIDDEN), "sealed": sealing.ERASED}


def shown(creditor: Kept) -> Kept:
    """Return a kept or carried account as people are shown it."""
    found: Kept = to_builtins(accounts.shown(_carried(creditor)))
    return found


def fingerprint(keyring: Keyring, applicant: str, account: Account) -> str:
    """Return what tells whether a company's account is one that is known, without opening it."""
    return keyring.fingerprint(applicant, account.name, account.account, account.bank_code)


_ACCOUNT, _MASK = "account", "mask"


def _carried(creditor: Kept) -> Account:
    return msgspec.convert({_ACCOUNT if name == _MASK else name: creditor[name] for name in creditor}, Account)
