"""What is inside a sealed account, and what it is bound to: said by intake, understood by disbursement.

Who carries it on (eligibility, the topics, the backups) needs no key. The sealing itself is ``kit.sealing``.
"""

from uuid import UUID

import msgspec

from contracts.codec import to_builtins


class Holder(msgspec.Struct, frozen=True):
    """Whose account it is, and its number."""

    name: str
    account: str


def about(application_id: UUID) -> str:
    """Return what an application's account is bound to, so that it can't be opened under another one."""
    return f"account:{to_builtins(application_id)}"


def encode(holder: Holder) -> bytes:
    return msgspec.json.encode(holder)


def decode(data: bytes) -> Holder:
    return msgspec.json.decode(data, type=Holder)
