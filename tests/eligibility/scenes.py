"""The scenes of eligibility's tests: applications, claims, facts, and messages that carry them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.common import Account, Company, Contract, Invoice, Request, Usage
from contracts.events import ApplicationSubmitted, ApplicationWithdrawn, ClaimSubmitted, ClaimWithdrawn, Event
from contracts.money import Money
from contracts.policy import Policy
from contracts.topics import event_type
from eligibility.expressions import compile_policy
from eligibility.handlers import handle
from eligibility.handover import Handover
from eligibility.policies import read_document
from eligibility.rules import Rulebook
from eligibility.shelf import Shelf
from kit import outbox
from kit.identifiers import uuid7
from kit.messages import Message

POLICIES = Path(__file__).parents[2] / "policies"
NOW = datetime(2026, 6, 1, 4, tzinfo=UTC)
APPLICANT = "91440300MA5FXXXX0T"
OTHER_APPLICANT = "91440300MA5GYYYY1A"
PROVIDER = "91440300MA5HHHHH2B"
FEN = 100

DOCUMENT = read_document(POLICIES / "compute-voucher.yaml")
POLICY: Policy = DOCUMENT.policy
FACTS: dict[str, dict[str, Any]] = {
    "business_registration": {"found": True, "status": "active"},
    "credit_record": {"blacklisted": False},
    "related_companies": {"group": APPLICANT, "members": [APPLICANT]},
    "provider": {"listed": True, "services": ["compute"]},
}


def rulebook(**changes: Any) -> Rulebook:
    return compile_policy(msgspec.structs.replace(POLICY, **changes))


def contract(**changes: Any) -> Contract:
    plain = Contract(
        number=f"C-{uuid7()}",
        provider=PROVIDER,
        signed_on=date(2026, 1, 10),
        starts_on=date(2026, 2, 1),
        ends_on=date(2026, 12, 31),
        money=Money(1_000_000 * FEN),
    )
    return msgspec.structs.replace(plain, **changes)


def company(uscc: str = APPLICANT, **changes: Any) -> Company:
    plain = Company(
        uscc=uscc,
        name="示例智能科技有限公司",
        district="nanshan",
        registered_on=date(2024, 5, 6),
        chain="models",
        headcount=12,
        opc=False,
        account=Account(name="示例智能科技有限公司", account="6222000011112222", bank_code="CMBCCNBS"),
    )
    return msgspec.structs.replace(plain, **changes)


def application(
    applicant: str = APPLICANT, *, yuan: int = 1_000_000, signed: Contract | None = None, **changes: Any
) -> ApplicationSubmitted:
    plain = ApplicationSubmitted(
        occurred_at=NOW,
        application_id=uuid7(),
        scheme=POLICY.scheme,
        applicant=applicant,
        number="CV-2026-000001",
        district="nanshan",
        policy_version=POLICY.version,
        company=company(applicant),
        request=Request(money=Money(yuan * FEN), contract=signed or contract()),
        submitted_at=NOW,
    )
    return msgspec.structs.replace(plain, **changes)


def invoice(number: str = "1", *, yuan: int = 1000, tax_yuan: int = 60, **changes: Any) -> Invoice:
    plain = Invoice(
        number=number,
        seller=PROVIDER,
        issued_on=date(2026, 3, 1),
        money=Money(yuan * FEN),
        tax=Money(tax_yuan * FEN),
    )
    return msgspec.structs.replace(plain, **changes)


def claim(of: ApplicationSubmitted, *invoices: Invoice, **changes: Any) -> ClaimSubmitted:
    plain = ClaimSubmitted(
        occurred_at=NOW,
        application_id=of.application_id,
        scheme=of.scheme,
        applicant=of.applicant,
        claim_id=uuid7(),
        award_id=uuid7(),
        district=of.district,
        invoices=invoices,
        usage=Usage(date(2026, 2, 1), date(2026, 2, 28)),
        submitted_at=NOW,
    )
    return msgspec.structs.replace(plain, **changes)


def withdrawn(of: ApplicationSubmitted) -> ApplicationWithdrawn:
    return ApplicationWithdrawn(
        occurred_at=NOW, application_id=of.application_id, scheme=of.scheme, applicant=of.applicant
    )


def claim_withdrawn(of: ClaimSubmitted) -> ClaimWithdrawn:
    return ClaimWithdrawn(
        occurred_at=NOW,
        application_id=of.application_id,
        scheme=of.scheme,
        applicant=of.applicant,
        claim_id=of.claim_id,
        award_id=of.award_id,
    )


@dataclass
class Desk:
    """Hands events to the service's handlers as its consumer would, and keeps what was announced."""

    shelf: Shelf = field(default_factory=Shelf)
    handover: Handover | None = None

    async def hear(self, connection: AsyncConnection, *events: Event) -> list[Event]:
        """Handle the events as one batch; return what was announced."""
        announced = await handle(self.shelf, self.handover, connection, messages(events), NOW)
        await outbox.add(connection, announced)
        return [announcement.event for announcement in announced]


def messages(events: Sequence[Event]) -> list[Message]:
    return [_message(event, offset) for offset, event in enumerate(events)]


def _message(event: Event, offset: int) -> Message:
    return Message(
        id=uuid7(),
        type=event_type(type(event)),
        time=NOW,
        key=str(getattr(event, "applicant", "")),
        topic="intake.applications",
        partition=0,
        offset=offset,
        traceparent=f"00-{offset:032x}-0000000000000001-01",
        data=event,
    )


def names(announced: Sequence[Event]) -> list[str]:
    """Return what was announced, by the events' short names."""
    return [event.TYPE for event in announced]
