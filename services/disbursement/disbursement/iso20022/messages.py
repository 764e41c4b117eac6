"""What goes into a file and what comes out of one, as values. Amounts are whole fen, the currency is CNY."""

from datetime import date, datetime
from typing import Literal

import msgspec

from contracts.common import Account

Kind = Literal["pain.002", "camt.054"]
Outcome = Literal["settled", "returned", "pending"]


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """One credit transfer from a pool. ``end_to_end_id`` comes back in every report on it."""

    pool: str
    end_to_end_id: str
    instruction_id: str
    amount: int
    creditor: Account
    purpose: str


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """One file of orders. ``debtors`` has the account of each pool that a payment names; ``created_at`` is aware."""

    message_id: str
    created_at: datetime
    requested_on: date
    initiating_party: str
    debtors: dict[str, Account]
    payments: tuple[Payment, ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What the bank says of one payment, and on which line it says so. A pending report moves no money.

    ``instruction_id`` is None where the bank does not hand it back, ``amount`` where a pain.002 leaves it out.
    ``at`` is when it was booked, or when the bank wrote the file.
    """

    end_to_end_id: str
    instruction_id: str | None = None
    outcome: Outcome
    amount: int | None
    bank_reference: str
    reason_code: str | None
    at: datetime
    line: int


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """The bank rejects all payments of a message, or (``pool``) all of one pool in it: each of them is returned."""

    original_message_id: str
    pool: str | None
    reason_code: str | None
    at: datetime
    line: int


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was understood whole.

    ``original_message_id`` and ``group_status`` are the message that a pain.002 answers and what it says of the whole:
    only a rejection has an effect, and stands in ``rejections`` too. ``passed_over`` are the lines of a camt.054 that
    report on no payment: fees, money that comes in.
    """

    kind: Kind
    message_id: str
    created_at: datetime
    reports: tuple[Report, ...]
    rejections: tuple[Rejection, ...] = ()
    original_message_id: str | None = None
    group_status: str | None = None
    passed_over: tuple[int, ...] = ()
