"""The rows that a batch or a group of requests works on, as plain mutable records. Amounts are whole fen."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

# What an award is shown with from its beginning; one that was stored before these were there lacks them.
NEW_AWARD: Final[dict[str, Any]] = {"released": 0, "recovered": 0, "expiry_announced_at": None}


# Who sent everything before callers were told apart by their tokens.
FIRST_CLIENT: Final = "portal"


class Application(msgspec.Struct, kw_only=True):
    """An application as the portal sees it.

    ``body`` is what was sent (applicant, request, documents). ``progress`` holds what was heard of it: review,
    waitlisted, refused, withdrawn, lapsed; ``decision`` and ``award`` are what the portal shows, ``recoveries`` what
    was heard of money that is asked back, by id (``intake.recoveries``). ``version`` is the ETag. ``waits_for`` names
    the clock that runs (``waits``), ``due_at`` its deadline, ``missed_at`` when it was found to be over. ``client`` is
    the program that sent it, and the only one of its kind that sees it.
    """

    application_id: UUID
    number: str
    scheme: str
    applicant: str
    district: str
    status: str
    version: int = 1
    policy_version: str
    provisional: bool
    body: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    submitted_at: datetime | None = None
    progress: dict[str, Any] = {}
    decision: dict[str, Any] | None = None
    award: dict[str, Any] | None = None
    award_id: UUID | None = None
    voucher_code: str | None = None
    recoveries: dict[str, Any] = {}
    happenings: int = 0
    waits_for: str | None = None
    waits_since: datetime | None = None
    due_at: datetime | None = None
    missed_at: datetime | None = None
    client: str = FIRST_CLIENT


class Claim(msgspec.Struct, kw_only=True):
    """A claim as the portal sees it. ``body`` is what was sent; its clock is kept as an application's.

    ``netted`` is the part of ``payable`` that is kept back for what the company owes.
    """

    claim_id: UUID
    application_id: UUID
    award_id: UUID
    applicant: str
    status: str
    body: dict[str, Any]
    submitted_at: datetime
    updated_at: datetime
    eligible: int | None = None
    payable: int | None = None
    netted: int | None = None
    payment: dict[str, Any] | None = None
    reasons: list[dict[str, Any]] | None = None
    waits_for: str | None = None
    waits_since: datetime | None = None
    due_at: datetime | None = None
    missed_at: datetime | None = None


class Happening(msgspec.Struct, kw_only=True):
    """A line of an application's timeline."""

    application_id: UUID
    position: int
    at: datetime
    type: str
    claim_id: UUID | None = None
    data: dict[str, Any] = {}


class Document(msgspec.Struct, kw_only=True):
    """An uploaded file. ``kind`` is the evidence that it is meant as; ``finding`` what the scanner found in it.

    ``confirmed_by`` is the provider that said, under its own name, that what it states is true.
    """

    document_id: UUID
    client: str
    kind: str | None
    name: str
    media_type: str
    size: int
    sha256: str
    uploaded_at: datetime
    finding: str | None = None
    confirmed_by: str | None = None
    confirmed_at: datetime | None = None
    erased_at: datetime | None = None
