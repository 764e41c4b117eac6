"""What of an application names or pays a person: sealed before it is stored, masked when it is shown.

A stored account or contact is its mask, which anybody may read, with what it stands for ``sealed`` beside it. The
account's travels on to disbursement as it is; the contact stays here. Rows from before have no ``sealed``: they are
read all the same, shown masked, and sealed in the background.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import msgspec

from contracts.codec import to_builtins
from contracts.common import Account
from kit import accounts, masking, sealing
from kit.sealing import Keyring

Body = dict[str, Any]

_CONTACT: Final = ("name", "email", "phone")
_MASKS: Final = {"name": masking.name, "email": masking.email, "phone": masking.number}


def sealed(keyring: Keyring, application_id: UUID, body: Body) -> Body:
    """Return a body, or the parts of one, with the account and the contact sealed. What was given is left as it is."""
    applicant = body.get("applicant")
    if applicant is None or not keyring.seals:
        return body
    account, contact = applicant["account"], applicant.get("contact")
    if "sealed" not in account:
        account = _sealed_account(keyring, application_id, account, applicant["name"])
    if contact is not None and "sealed" not in contact:
        contact = _sealed_contact(keyring, application_id, contact)
    return {**body, "applicant": {**applicant, "account": account, "contact": contact}}


def resealed(keyring: Keyring, application_id: UUID, body: Body) -> Body:
    """Return a stored body with all of it sealed under the first key. Raises SealedError."""
    body = sealed(keyring, application_id, body)
    applicant = body["applicant"]
    account = _again(keyring, applicant["account"], accounts.about(application_id))
    contact = applicant["contact"] and _again(keyring, applicant["contact"], _about_contact(application_id))
    return {**body, "applicant": {**applicant, "account": account, "contact": contact}}


def _again(keyring: Keyring, kept: Body, about: str) -> Body:
    return {**kept, "sealed": keyring.reseal(kept["sealed"], about)}


def shown(applicant: Body, contact: Body | None = None) -> Body:
    """Return an applicant as it is shown: all masked, but for a ``contact`` that was opened for whoever sent it."""
    account, kept = applicant["account"], applicant.get("contact")
    if "sealed" not in account:
        account = _masked_account(account, applicant["name"])
    if kept is not None and "sealed" not in kept:
        kept = _masked_contact(kept)
    return {**applicant, "account": _without_seal(account), "contact": contact or (kept and _without_seal(kept))}


def contact_of(keyring: Keyring, application_id: UUID, applicant: Body) -> Body | None:
    """Return the contact in clear, or None where there is none (any more)."""
    kept = applicant.get("contact")
    if kept is None or "erased_at" in kept:
        return None
    if "sealed" not in kept:
        return dict(kept)
    opened: Body = msgspec.json.decode(keyring.open(kept["sealed"], _about_contact(application_id)))
    return opened


def account_of(keyring: Keyring, application_id: UUID, applicant: Body) -> Body | None:
    """Return the account in clear, or None where it was erased."""
    kept = applicant["account"]
    if "erased_at" in kept:
        return None
    if "sealed" not in kept:
        return dict(kept)
    return _kept(accounts.opened(keyring, application_id, told(kept)))


def erased(body: Body, at: str) -> Body:
    """Return a body without account and contact, which says since when."""
    gone: Body = {"name": masking.HIDDEN, "erased_at": at}
    applicant = body["applicant"]
    account = {**gone, "number": masking.HIDDEN, "bank_code": masking.HIDDEN, "sealed": sealing.ERASED}
    return {**body, "applicant": {**applicant, "account": account, "contact": gone | {"email": None, "phone": None}}}


# --- account -----------------------------------------------------------------------------------------------------


def _sealed_account(keyring: Keyring, application_id: UUID, account: Body, company: str) -> Body:
    return _kept(accounts.carried(keyring, application_id, told(account), company))


def _masked_account(account: Body, company: str) -> Body:
    return _kept(accounts.masked(told(account), company))


def told(account: Body) -> Account:
    """Return a stored account as events tell it."""
    return Account(account["name"], account["number"], account["bank_code"], account.get("sealed"))


def _kept(account: Account) -> Body:
    kept = {"name": account.name, "number": account.account, "bank_code": account.bank_code}
    return kept | ({"sealed": account.sealed} if account.sealed else {})


# --- contact -----------------------------------------------------------------------------------------------------


def _sealed_contact(keyring: Keyring, application_id: UUID, contact: Body) -> Body:
    said = msgspec.json.encode({name: contact.get(name) for name in _CONTACT})
    return _masked_contact(contact) | {"sealed": keyring.seal(said, _about_contact(application_id))}


def _masked_contact(contact: Mapping[str, Any]) -> Body:
    return {name: mask(contact[name]) if contact.get(name) else None for name, mask in _MASKS.items()}


def _about_contact(application_id: UUID) -> str:
    return f"contact:{to_builtins(application_id)}"


def _without_seal(kept: Body) -> Body:
    return {name: value for name, value in kept.items() if name != "sealed"}
