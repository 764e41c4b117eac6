"""A portal that calls intake, and the events of the others, handed to intake's handlers."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.codec import decode
from contracts.common import Account, Reason, Text
from contracts.events import (
    ApplicationApproved,
    AwardIssued,
    ClaimPayable,
    Event,
    PolicyPublished,
)
from contracts.money import Money
from contracts.policy import ClaimRules, Policy, Window
from contracts.topics import TOPIC_OF, event_type
from intake.clocks import Deadlines
from intake.handlers import handle
from kit.clocks import Scanner
from kit.database import Database
from kit.identifiers import uuid7
from kit.messages import Message
from tests.kit.issuer import Issuer

USCC = "91440300708461136T"
PROVIDER = "91440300192181490G"
TODAY = datetime.now(UTC).date()
REASON = Reason("registered", "3.1", "met", Text(zh="已登记", en="Registered"))


def policy(**changes: Any) -> Policy:
    """Return a policy whose window is open now."""
    now = datetime.now(UTC)
    values: dict[str, Any] = {
        "scheme": "test-voucher",
        "version": "1",
        "provisional": False,
        "title": Text(zh="测试券", en="Test voucher"),
        "rule": Text(zh="60%", en="60 %"),
        "pool": "test-pool",
        "kind": "voucher",
        "number_prefix": "TV",
        "effective_from": date(2020, 1, 1),
        "effective_until": date(2099, 12, 31),
        "windows": (Window(now - timedelta(days=1), now + timedelta(days=1)),),
        "districts": ("nanshan", "longgang"),
        "rate": 6000,
        "cap": None,
        "envelope": None,
        "validity_months": 12,
        "criteria": (),
        "claims": ClaimRules(usage_required=True),
    }
    return Policy(**values | changes)


async def publish_policy(connection: AsyncConnection, **changes: Any) -> None:
    document = policy(**changes)
    event = PolicyPublished(
        occurred_at=datetime.now(UTC), scheme=document.scheme, policy_version=document.version, policy=document
    )
    await (await handle(connection, [message(event)], datetime.now(UTC))).make_writes()


def message(event: Event) -> Message:
    topic = TOPIC_OF[type(event)]
    key = str(getattr(event, topic.key))
    return Message(uuid7(), event_type(type(event)), datetime.now(UTC), key, topic.name, 0, 0, None, event)


def application(**changes: Any) -> dict[str, Any]:
    """Return a body that is accepted; ``changes`` are set by dotted path, e.g. ``{"applicant.district": "x"}``."""
    body: dict[str, Any] = {
        "scheme": "test-voucher",
        "submit": True,
        "applicant": {
            "uscc": USCC,
            "name": "测试公司",
            "district": "nanshan",
            "registered_on": "2024-05-06",
            "chain": "models",
            "headcount": 12,
            "opc": False,
            "account": {"name": "测试公司", "number": "6222000011112222", "bank_code": "ICBKCNBJ"},
            "contact": {"name": "联系人", "email": "a@example.com", "phone": "+86 755 1234567"},
        },
        "request": {
            "money": {"amount": 100_000_000, "currency": "CNY"},
            "contract": {
                "number": "HT-1",
                "provider": PROVIDER,
                "signed_on": str(TODAY - timedelta(days=30)),
                "starts_on": str(TODAY - timedelta(days=20)),
                "ends_on": str(TODAY + timedelta(days=300)),
                "money": {"amount": 100_000_000, "currency": "CNY"},
            },
            "details": {},
        },
        "documents": [],
    }
    return changed(body, changes)


def claim(number: str = "F-1", **changes: Any) -> dict[str, Any]:
    """Return a claim on one invoice that is accepted."""
    body = {
        "invoices": [
            {
                "number": number,
                "seller": PROVIDER,
                "issued_on": str(TODAY),
                "money": {"amount": 20_000_000, "currency": "CNY"},
                "tax": {"amount": 1_132_075, "currency": "CNY"},
            }
        ],
        "usage": {"starts_on": str(TODAY - timedelta(days=9)), "ends_on": str(TODAY), "statement": None},
        "milestone": None,
        "documents": [],
        "details": {},
    }
    return changed(body, changes)


def changed(body: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Set values by dotted path; a number is a place in a list."""
    for path, value in changes.items():
        *parents, last = path.split(".")
        target: Any = body
        for parent in parents:
            target = target[int(parent)] if parent.isdigit() else target[parent]
        target[int(last) if last.isdigit() else last] = value
    return body


class Portal:
    """Calls intake, and lets the other services' events arrive."""

    def __init__(self, client: httpx.AsyncClient, database: Database, issuer: Issuer) -> None:
        self.client = client
        self.database = database
        self.issuer = issuer

    async def apply(self, key: str | None = None, **changes: Any) -> httpx.Response:
        headers = {"idempotency-key": key or str(uuid4()), "accept-language": "en"}
        return await self.client.post("/v1/applications", json=application(**changes), headers=headers)

    async def claim(self, award_id: Any, number: str = "F-1", key: str | None = None, **changes: Any) -> httpx.Response:
        headers = {"idempotency-key": key or str(uuid4()), "accept-language": "en"}
        return await self.client.post(f"/v1/awards/{award_id}/claims", json=claim(number, **changes), headers=headers)

    async def upload(
        self, content: bytes, *, name: str = "contract.pdf", key: str | None = None, **form: str
    ) -> httpx.Response:
        headers = {"idempotency-key": key or str(uuid4()), "accept-language": "en"}
        return await self.client.post("/v1/documents", files={"file": (name, content)}, data=form, headers=headers)

    async def voucher(self, code: str | None, provider: str = PROVIDER) -> httpx.Response:
        """Ask about a voucher, as a provider does."""
        headers = {"authorization": f"Bearer {self.issuer.token('provider', sub=provider)}", "accept-language": "en"}
        return await self.client.get(f"/v1/vouchers/{code}", headers=headers)

    async def state(self, application_id: Any) -> dict[str, Any]:
        response = await self.client.get(f"/v1/applications/{application_id}")
        assert response.status_code == 200, response.text
        state: dict[str, Any] = response.json()
        return state

    async def hear(self, *events: Event) -> None:
        """Let events arrive, as one batch."""
        async with self.database.transaction() as connection:
            said = await handle(connection, [message(event) for event in events], datetime.now(UTC))
            await said.make_writes()

    async def told(self) -> list[Event]:
        """Return what intake has put into its outbox, in order."""
        async with self.database.reading() as connection:
            rows = await connection.execute(text("SELECT type, data FROM outbox ORDER BY id"))
            return [decode(row.type, bytes(row.data)) for row in rows]

    async def count(self, table: Any) -> int:
        async with self.database.reading() as connection:
            return len((await connection.execute(select(table))).all())

    async def awarded(self, **changes: Any) -> tuple[dict[str, Any], AwardIssued]:
        """Apply, and let the approval and the award arrive; return the application and the award."""
        created = (await self.apply(**changes)).json()
        approval, award = approval_of(created), award_of(created)
        await self.hear(approval, award)
        return created, award


def approval_of(created: dict[str, Any]) -> ApplicationApproved:
    return ApplicationApproved(
        occurred_at=datetime.now(UTC),
        application_id=UUID(created["application_id"]),
        scheme=created["scheme"],
        applicant=created["applicant"]["uscc"],
        pool="test-pool",
        district="nanshan",
        policy_version="1",
        provisional=False,
        kind="voucher",
        approved=Money(60_000_000),
        rate=6000,
        cap_holder=USCC,
        creditor=Account("A", "1", "B"),
        reasons=(REASON,),
        submitted_at=datetime.now(UTC),
    )


def award_of(created: dict[str, Any], amount: int = 60_000_000) -> AwardIssued:
    now = datetime.now(UTC)
    return AwardIssued(
        occurred_at=now,
        application_id=UUID(created["application_id"]),
        scheme=created["scheme"],
        applicant=created["applicant"]["uscc"],
        award_id=uuid7(),
        pool="test-pool",
        district="nanshan",
        policy_version="1",
        kind="voucher",
        voucher_code=f"TV-{uuid4().hex[:8]}",
        approved=Money(amount),
        awarded=Money(amount),
        limited_by="approved",
        valid_from=now,
        valid_until=now + timedelta(days=365),
    )


def payable_of(created_claim: dict[str, Any], created: dict[str, Any], amount: int, rest: int) -> ClaimPayable:
    return ClaimPayable(
        occurred_at=datetime.now(UTC),
        application_id=UUID(created["application_id"]),
        scheme=created["scheme"],
        applicant=created["applicant"]["uscc"],
        claim_id=UUID(created_claim["claim_id"]),
        award_id=UUID(created_claim["award_id"]),
        payment_id=uuid7(),
        payable=Money(amount),
        limited_by="rate",
        rest=Money(rest),
    )


def names_of(event: ClaimPayable) -> dict[str, Any]:
    """Return the ids that every event about a claim carries."""
    return {name: getattr(event, name) for name in ("application_id", "scheme", "applicant", "claim_id", "award_id")}


def of_award(award: AwardIssued, event: type[Event], **details: Any) -> Event:
    """Return an event that speaks of an award."""
    names = {name: getattr(award, name) for name in ("application_id", "scheme", "applicant", "award_id")}
    return event(occurred_at=datetime.now(UTC), **names, **details)


def of_payment(payable: ClaimPayable, event: type[Event], **details: Any) -> Event:
    """Return an event that speaks of the payment of a claim."""
    names = names_of(payable) | {"payment_id": payable.payment_id}
    return event(occurred_at=datetime.now(UTC), **names, **details)


# --- what is looked at ----------------------------------------------------------------------------------------


def fen(shown: dict[str, Any], *names: str) -> list[int]:
    """Return these amounts of what the portal is shown."""
    return [shown[name]["amount"] for name in names]


async def scan(database: Database) -> int:
    return await Scanner(database, Deadlines()).scan()


async def let_pass(database: Database) -> None:
    """Let every deadline that is set have passed a second ago."""
    async with database.transaction() as connection:
        for table in ("applications", "claims"):
            await connection.execute(
                text(f"UPDATE {table} SET due_at = now() - interval '1 second' WHERE due_at IS NOT NULL")
            )


async def timeline(portal: Portal, created: dict[str, Any]) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = (
        await portal.client.get(f"/v1/applications/{created['application_id']}/timeline")
    ).json()["items"]
    return lines


def within(waiting: dict[str, Any]) -> timedelta:
    return datetime.fromisoformat(waiting["due"]) - datetime.fromisoformat(waiting["since"])
