"""Events as the other services send them, for the tests of metrics: one company's way through the programme."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from contracts.chain import GENESIS, seal
from contracts.common import Account, Company, Reason, Request, Text
from contracts.events import (
    ApplicationApproved,
    ApplicationRejected,
    ApplicationSubmitted,
    ApplicationWaitlisted,
    AwardIssued,
    Balances,
    ClaimPaid,
    ClaimSubmitted,
    EnvelopeSet,
    Event,
    PaymentInstructed,
    PolicyPublished,
    TransferPosted,
)
from contracts.money import Money
from contracts.policy import Policy, Window
from contracts.topics import TOPIC_OF, event_type
from kit.messages import Message

NAMESPACE = UUID("0190e2a0-0000-7000-8000-000000000000")
USCC = "91440300MA5003FYBC"
SCHEME, POOL, DISTRICT = "compute-voucher", "ai-package-2025", "nanshan"
START = datetime(2026, 3, 15, 8, 0, tzinfo=UTC)
ACCOUNT = Account(name="深圳市明联智能终端有限公司", account="4544166170432145837", bank_code="308584912884")


def identifier(*parts: object) -> UUID:
    """The same parts, the same identifier."""
    return uuid5(NAMESPACE, "/".join(str(part) for part in parts))


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


class Ledger:
    """Writes a pool's transfers as disbursement does: balanced, counted and chained."""

    def __init__(self, pool: str = POOL) -> None:
        self.pool = pool
        self.version = 0
        self.hash = GENESIS
        self.balances = {"available": 0, "committed": 0, "obligated": 0, "disbursed": 0}

    def post(self, source: str, target: Any, amount: int, *, minutes: float = 0, **details: Any) -> TransferPosted:
        for state, change in ((source, -amount), (target, amount)):
            if state != "appropriated":
                self.balances[state] += change
        self.version += 1
        known: dict[str, Any] = {"scheme": SCHEME, "district": DISTRICT, "reason": "test", **details}
        transfer = TransferPosted(
            occurred_at=at(minutes),
            transfer_id=identifier("transfer", self.pool, self.version),
            pool=self.pool,
            version=self.version,
            previous_hash=self.hash,
            hash="",
            source=source,
            to=target,
            money=Money(amount),
            balances=Balances(**self.balances),
            posted_at=at(minutes),
            **known,
        )
        seal(transfer)
        self.hash = transfer.hash
        return transfer

    def open(self, amount: int = 450_000_000_000) -> TransferPosted:
        return self.post("appropriated", "available", amount, scheme=None, district=None, reason="pool.opened")

    def lower(self, amount: int, *, minutes: float = 0) -> TransferPosted:
        """An order of two persons takes back a part of the appropriation."""
        return self.post("available", "appropriated", amount, minutes=minutes, scheme=None, district=None)

    def raise_by(self, amount: int, *, minutes: float = 0) -> TransferPosted:
        return self.post("appropriated", "available", amount, minutes=minutes, scheme=None, district=None)

    def set_envelope(self, amount: int, *, year: int = 2026, scheme: str = SCHEME, minutes: float = 0) -> EnvelopeSet:
        return EnvelopeSet(
            occurred_at=at(minutes),
            pool=self.pool,
            scheme=scheme,
            fiscal_year=year,
            appropriated=Money(amount),
            reason="supplement agreed by the finance bureau",
        )


class Case:
    """One application and what the services say of it."""

    def __init__(
        self, number: int = 1, scheme: str = SCHEME, *, applicant: str = USCC, district: str = DISTRICT
    ) -> None:
        self.number = number
        self.scheme = scheme
        self.applicant = applicant
        self.district = district
        self.application_id = identifier("application", number)
        self.award_id = identifier("award", number)

    def _about(self, minutes: float) -> dict[str, Any]:
        return {
            "occurred_at": at(minutes),
            "application_id": self.application_id,
            "scheme": self.scheme,
            "applicant": self.applicant,
        }

    def say(self, event: type[Event], minutes: float = 0, **details: Any) -> Event:
        """An event that needs nothing but the application and these details."""
        return event(**self._about(minutes), **details)

    def submitted(self, minutes: float = 0) -> ApplicationSubmitted:
        return ApplicationSubmitted(
            **self._about(minutes),
            number=f"CV-2026-{self.number:06d}",
            district=self.district,
            policy_version="2026.1",
            company=Company(
                self.applicant, "明联智能", self.district, date(2024, 5, 6), "models", 12, opc=False, account=ACCOUNT
            ),
            request=Request(Money(100_000_000)),
            submitted_at=at(minutes),
        )

    def approved(self, minutes: float = 1, submitted: float = 0, amount: int = 60_000_000) -> ApplicationApproved:
        return ApplicationApproved(
            **self._about(minutes),
            pool=POOL,
            district=self.district,
            policy_version="2026.1",
            provisional=False,
            kind="voucher",
            approved=Money(amount),
            rate=6000,
            cap_holder=self.applicant,
            creditor=ACCOUNT,
            reasons=(),
            submitted_at=at(submitted),
        )

    def rejected(self, minutes: float = 1, submitted: float = 0) -> ApplicationRejected:
        reason = Reason("registered", "3.1", "not_met", Text(zh="未查到该企业。", en="Not in the register."))
        return ApplicationRejected(
            **self._about(minutes),
            district=self.district,
            policy_version="2026.1",
            provisional=False,
            reasons=(reason,),
            submitted_at=at(submitted),
        )

    def awarded(self, minutes: float = 2, amount: int = 60_000_000) -> AwardIssued:
        return AwardIssued(
            **self._about(minutes),
            award_id=self.award_id,
            pool=POOL,
            district=self.district,
            policy_version="2026.1",
            kind="voucher",
            voucher_code="CV-2345-6789-ABCD-EFGH",
            approved=Money(amount),
            awarded=Money(amount),
            limited_by="approved",
            valid_from=at(minutes),
            valid_until=at(minutes) + timedelta(days=365),
        )

    def waitlisted(self, minutes: float = 2, amount: int = 60_000_000) -> ApplicationWaitlisted:
        return ApplicationWaitlisted(**self._about(minutes), pool=POOL, approved=Money(amount), short_of="envelope")

    def _claim(self, number: int) -> dict[str, Any]:
        return {"claim_id": identifier("claim", self.number, number), "award_id": self.award_id}

    def claimed(self, number: int = 1, minutes: float = 3) -> ClaimSubmitted:
        return ClaimSubmitted(
            **self._about(minutes), **self._claim(number), district=self.district, invoices=(), submitted_at=at(minutes)
        )

    def instructed(
        self, number: int = 1, minutes: float = 4, amount: int = 12_345_678, attempt: int = 1
    ) -> PaymentInstructed:
        payment_id = identifier("payment", self.number, number)
        return PaymentInstructed(
            **self._about(minutes),
            **self._claim(number),
            payment_id=payment_id,
            pool=POOL,
            creditor=ACCOUNT,
            money=Money(amount),
            end_to_end_id=payment_id.hex,
            purpose=self.scheme,
            instructed_at=at(minutes),
            attempt=attempt,
        )

    def paid(self, number: int = 1, minutes: float = 5, amount: int = 12_345_678) -> ClaimPaid:
        return ClaimPaid(
            **self._about(minutes),
            **self._claim(number),
            payment_id=identifier("payment", self.number, number),
            paid=Money(amount),
            settled_at=at(minutes),
        )


def policy(scheme: str = SCHEME, envelope: int | None = 50_000_000_000, version: str = "2026.1") -> PolicyPublished:
    text = Text(zh="训力券", en="Compute voucher")
    document = Policy(
        scheme=scheme,
        version=version,
        provisional=False,
        title=text,
        rule=text,
        pool=POOL,
        kind="voucher",
        number_prefix="CV",
        effective_from=date(2026, 1, 1),
        effective_until=date(2027, 12, 31),
        windows=(Window(at(0), at(1)),),
        districts=(DISTRICT,),
        rate=6000,
        cap=None,
        envelope=Money(envelope) if envelope is not None else None,
        validity_months=12,
        criteria=(),
    )
    return PolicyPublished(occurred_at=at(0), scheme=scheme, policy_version=version, policy=document)


def one_paid_case(ledger: Ledger, case: Case, *, minutes: float = 0, paid: int = 12_345_678) -> list[Event]:
    """A whole life: submitted, approved, awarded 600,000 yuan or what is paid, claimed, paid 123,456.78 yuan."""
    awarded = max(60_000_000, paid)
    award = {
        "award_id": case.award_id,
        "application_id": case.application_id,
        "scheme": case.scheme,
        "district": case.district,
    }
    return [
        case.submitted(minutes),
        case.approved(minutes + 1, submitted=minutes, amount=awarded),
        ledger.post("available", "committed", awarded, minutes=minutes + 2, **award | {"reason": "award.issued"}),
        case.awarded(minutes + 2, amount=awarded),
        case.claimed(minutes=minutes + 3),
        ledger.post("committed", "obligated", paid, minutes=minutes + 4, **award),
        case.instructed(minutes=minutes + 4, amount=paid),
        ledger.post("obligated", "disbursed", paid, minutes=minutes + 5, **award),
        case.paid(minutes=minutes + 5, amount=paid),
    ]


def messages(events: Sequence[Event]) -> Iterator[Message]:
    """Events as the consumer hands them over."""
    for offset, event in enumerate(events):
        topic = TOPIC_OF[type(event)]
        yield Message(
            id=identifier("event", topic.name, offset),
            type=event_type(type(event)),
            time=event.occurred_at,
            key=str(getattr(event, topic.key)),
            topic=topic.name,
            partition=0,
            offset=offset,
            traceparent=None,
            data=event,
        )
