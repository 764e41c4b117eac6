"""The working set of a batch: what was loaded under the pools' locks, changed in memory, and is stored at its end.

Events of a batch are applied one after another to the same records, so that a batch gives what its events would
have given one by one. Whoever changes a record says so with ``touch``.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, TypeVar
from uuid import NAMESPACE_URL, UUID, uuid5

from contracts.chain import seal
from contracts.events import Balances, EnvelopeSet, Event, TransferPosted
from contracts.money import Money
from contracts.policy import Policy
from disbursement import rules
from disbursement.records import (
    Account,
    Application,
    Award,
    Books,
    Cap,
    Claim,
    Company,
    Envelope,
    Line,
    Netting,
    Order,
    Payment,
    Pool,
    Recovery,
    Report,
    Stack,
    Transfer,
)
from kit.errors import NotYetError
from kit.identifiers import uuid7
from kit.outbox import Announcements
from kit.sealing import Keyring

LineKey = tuple[str, int]
CapKey = tuple[str, int, str]
StackKey = tuple[str, str]
AccountKey = tuple[str, str | None]
Record = (
    Pool
    | Envelope
    | Cap
    | Application
    | Line
    | Company
    | Stack
    | Award
    | Claim
    | Account
    | Payment
    | Report
    | Recovery
    | Netting
    | Order
)

K = TypeVar("K")

OPENING: Final = "pool.opened"


def opening_transfer_id(pool: str) -> UUID:
    """Return the fixed id of the transfer that opens a pool: opening it again finds that it was done."""
    return uuid5(NAMESPACE_URL, f"urn:drawdown:pool:{pool}:opening")


class Book:
    """Pools and everything that hangs on them, for the events of one batch."""

    def __init__(self, now: datetime, keyring: Keyring) -> None:
        self.now = now
        self.keyring = keyring
        self.said = Announcements()
        self.policies: dict[tuple[str, str], Policy] = {}
        self.new_policies: list[Policy] = []
        self.pools: dict[str, Pool] = {}
        self.envelopes: dict[LineKey, Envelope] = {}
        self.caps: dict[CapKey, Cap] = {}
        self.companies: dict[str, Company] = {}
        self.stacks: dict[StackKey, Stack] = {}
        self.applications: dict[UUID, Application] = {}
        self.lines: dict[LineKey, Line] = {}
        self.heads: dict[LineKey, list[Application]] = {}
        """The first of each line, in order; loaded only when the batch may free money."""
        self.awards: dict[UUID, Award] = {}
        self.claims: dict[UUID, Claim] = {}
        self.accounts: dict[AccountKey, Account] = {}
        self.payments: dict[UUID, Payment] = {}
        self.reports: dict[UUID | None, list[Report]] = {}  # by the payment, recovery or account that they speak of
        self.recoveries: dict[UUID, Recovery] = {}
        self.nettings: dict[UUID, list[Netting]] = {}
        self.orders: dict[UUID, Order] = {}
        self.differences: dict[str, list[str]] = {}
        """The checks that differ, of the pools that are to be resumed."""
        self.transfers: list[Transfer] = []
        self._years: dict[str, int] = {}
        self._until: dict[int, datetime] = {}
        # By kind, then by identity.
        self._added: defaultdict[type[Any], dict[int, Any]] = defaultdict(dict)
        self._touched: defaultdict[type[Any], dict[int, Any]] = defaultdict(dict)

    # --- records ----------------------------------------------------------------------------------------------

    def take(self, record: Record) -> None:
        """Put a record in its place, as loaded."""
        found = _PLACES.get(type(record))  # first, because isinstance of a struct is slow
        if found is not None:
            place, key = found
            getattr(self, place)[key(record)] = record
        elif isinstance(record, Report):
            about = record.payment_id or record.recovery_id or record.verification_id
            self.reports.setdefault(about, []).append(record)
        else:
            assert isinstance(record, Netting), f"the book has no place for a {type(record).__name__}"
            self.nettings.setdefault(record.payment_id, []).append(record)

    def add(self, record: Record) -> None:
        """Take in a record that is new: it is inserted, and fails loudly if the database has it already."""
        self._added[type(record)][id(record)] = record
        self.take(record)

    def touch(self, *records: Record) -> None:
        """Say that these loaded records changed and have to be stored."""
        for record in records:
            if id(record) not in self._added[type(record)]:
                self._touched[type(record)][id(record)] = record

    def added(self, kind: type[K]) -> list[K]:
        """Return the new records of a kind."""
        return list(self._added[kind].values())

    def touched(self, kind: type[K]) -> list[K]:
        """Return the changed records of a kind."""
        return list(self._touched[kind].values())

    def say(self, event: Event) -> None:
        self.said.say(event)

    # --- what hangs on what ---------------------------------------------------------------------------------------

    def policy(self, scheme: str, version: str) -> Policy:
        """Return the policy; raise NotYetError while its event was not committed before this batch was loaded."""
        policy = self.policies.get((scheme, version))
        if policy is None:
            raise NotYetError(f"the policy {scheme} {version} has not arrived yet")
        return policy

    def policy_of(self, award: Award) -> Policy:
        return self.policy(award.scheme, award.policy_version)

    def latest_policy(self, scheme: str) -> Policy | None:
        """Return the version of a scheme that takes effect last, or None of an unknown scheme."""
        versions = [policy for policy in self.policies.values() if policy.scheme == scheme]
        return max(versions, key=lambda policy: (policy.effective_from, policy.version), default=None)

    def year(self, policy: Policy) -> int:
        """Return the fiscal year of now, where the programme is."""
        if policy.timezone not in self._years:
            self._years[policy.timezone] = rules.fiscal_year(self.now, policy.timezone)
        return self._years[policy.timezone]

    def valid_until(self, policy: Policy) -> datetime:
        """Return until when an award of now can be claimed on."""
        if policy.validity_months not in self._until:
            self._until[policy.validity_months] = rules.months_later(self.now, policy.validity_months)
        return self._until[policy.validity_months]

    def envelope(self, policy: Policy, year: int) -> Envelope | None:
        """Return the scheme's envelope of a fiscal year, set as in the policy where this is its first use.

        None when the scheme has none.
        """
        if policy.envelope is None or policy.pool is None:
            return None
        key = (policy.scheme, year)
        if key not in self.envelopes:
            limit = policy.envelope.amount
            self.add(
                Envelope(scheme=policy.scheme, fiscal_year=year, pool=policy.pool, appropriated=limit, available=limit)
            )
            self.tell_envelope(self.envelopes[key], f"policy {policy.version}")
        return self.envelopes[key]

    def tell_envelope(self, envelope: Envelope, reason: str, order_id: UUID | None = None) -> None:
        self.say(
            EnvelopeSet(
                occurred_at=self.now,
                pool=envelope.pool,
                scheme=envelope.scheme,
                fiscal_year=envelope.fiscal_year,
                appropriated=Money(envelope.appropriated),
                reason=reason,
                order_id=order_id,
            )
        )

    def cap(self, scheme: str, year: int, holder: str) -> Cap:
        """Return what a company was granted, new where this is the first time."""
        key = (scheme, year, holder)
        if key not in self.caps:
            self.add(Cap(scheme=scheme, fiscal_year=year, holder=holder))
        return self.caps[key]

    def stack(self, provider: str, number: str) -> Stack:
        """Return what the programme supports a contract with, new where this is the first time."""
        if (provider, number) not in self.stacks:
            self.add(Stack(provider=provider, number=number))
        return self.stacks[provider, number]

    def held_by(self, verification_id: UUID) -> Iterable[Payment]:
        """Return the payments that wait for this account, in the order of their ids."""
        return sorted(
            (each for each in self.payments.values() if each.status == "held" and _waits_for(each, verification_id)),
            key=lambda payment: payment.payment_id,
        )

    # --- the ledger -----------------------------------------------------------------------------------------------

    def post(
        self,
        *,
        command: str,
        pool: str,
        source: str,
        target: Any,
        amount: int,
        reason: str,
        award: Award | None = None,
        claim_id: UUID | None = None,
        payment_id: UUID | None = None,
        recovery_id: UUID | None = None,
        order_id: UUID | None = None,
        transfer_id: UUID | None = None,
    ) -> None:
        """Post one transfer: move the pool's (and the envelope's) money, chain it, announce it.

        ``command`` names the cause; the database keeps it unique. Raises rules.LedgerError for an impossible move.
        """
        account = self.pools[pool]
        rules.move(account, source, target, amount)
        self.touch(account)
        if award is not None:
            self._move_envelope(award, source, target, amount)
        account.version += 1
        event = TransferPosted(
            occurred_at=self.now,
            transfer_id=transfer_id or uuid7(),
            pool=pool,
            version=account.version,
            previous_hash=account.hash,
            hash="",
            scheme=award.scheme if award else None,
            district=award.district if award else None,
            source=source,
            to=target,
            money=Money(amount),
            reason=reason,
            application_id=award.application_id if award else None,
            award_id=award.award_id if award else None,
            claim_id=claim_id,
            payment_id=payment_id,
            recovery_id=recovery_id,
            order_id=order_id,
            balances=_balances(account),
            posted_at=self.now,
        )
        data = seal(event)
        account.hash = event.hash
        self.transfers.append(_row(event, command, data))
        self.said.say(event, data)

    def _move_envelope(self, award: Award, source: str, target: str, amount: int) -> None:
        envelope = self.envelopes.get((award.scheme, award.fiscal_year))
        if envelope is not None:
            rules.move(envelope, source, target, amount)
            self.touch(envelope)


# Where each kind of record stands in the book, and under which key.
_PLACES: Final[dict[type[Any], tuple[str, Callable[[Any], Any]]]] = {
    Pool: ("pools", attrgetter("pool")),
    Envelope: ("envelopes", attrgetter("scheme", "fiscal_year")),
    Line: ("lines", attrgetter("scheme", "fiscal_year")),
    Cap: ("caps", attrgetter("scheme", "fiscal_year", "holder")),
    Company: ("companies", attrgetter("uscc")),
    Stack: ("stacks", attrgetter("provider", "number")),
    Application: ("applications", attrgetter("application_id")),
    Award: ("awards", attrgetter("award_id")),
    Claim: ("claims", attrgetter("claim_id")),
    Account: ("accounts", attrgetter("applicant", "fingerprint")),
    Payment: ("payments", attrgetter("payment_id")),
    Recovery: ("recoveries", attrgetter("recovery_id")),
    Order: ("orders", attrgetter("order_id")),
}


def _waits_for(payment: Payment, verification_id: UUID) -> bool:
    return payment.hold in ("account", "account_rejected") and payment.verification_id == verification_id


def _balances(books: Books) -> Balances:
    return Balances(books.available, books.committed, books.obligated, books.disbursed)


def _row(event: TransferPosted, command: str, data: bytes) -> Transfer:
    return Transfer(
        transfer_id=event.transfer_id,
        command=command,
        pool=event.pool,
        version=event.version,
        source=event.source,
        target=event.to,
        amount=event.money.amount,
        scheme=event.scheme,
        award_id=event.award_id,
        claim_id=event.claim_id,
        payment_id=event.payment_id,
        hash=event.hash,
        document=data.decode(),
        posted_at=event.posted_at,
    )
