"""The working set of a batch: the rows that its events touch, and what they add to the totals.

Rows are loaded, changed in memory and stored whole. Totals are never loaded: the batch keeps differences, and the
database adds them. Without a database it is a whole projection in memory, which is how the rules are tested.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime
from typing import Final
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import msgspec

from contracts.events import ApplicationEvent, TransferPosted
from metrics.rules import books, tallies
from metrics.rules.books import Pool
from metrics.rules.lifecycle import Application, Claim
from metrics.rules.tallies import Tally

SchemeBalance = tuple[str, str, int, str]
"""(pool, scheme, fiscal year of the award, state)"""
EnvelopeYear = tuple[str, int]
"""(scheme, fiscal year)"""
Flow = tuple[str, str, str, date, str]
"""(pool, scheme, district, day, state)"""
Party = tuple[str, str, date, str, UUID]
"""(pool, district, first day of the month, state, application)"""

_COMPANIES: Final = UUID("0199c0de-5c3a-7000-8000-000000000001")
_COUNTED: Final = frozenset({"available", "disbursed"})  # what was promised to a company, and what was paid to it


def company_of(applicant: str) -> UUID:
    """Return what tells a company (its USCC) from others here and names none."""
    return uuid5(_COMPANIES, applicant)


class Envelope(msgspec.Struct, frozen=True):
    """A scheme by its policy as last published.

    ``envelope`` is what it may commit in a fiscal year (fen), None without a limit. It holds for years for
    which disbursement has set nothing yet (``Projection.envelope_years``).
    """

    scheme: str
    policy_version: str
    envelope: int | None
    title_zh: str
    title_en: str


class Projection:
    """Rows by their identifiers, and differences by their labels. ``calendar`` is where days and years begin."""

    def __init__(self, calendar: ZoneInfo) -> None:
        self._calendar = calendar
        self.pools: dict[str, Pool] = {}
        self.applications: dict[UUID, Application] = {}
        self.claims: dict[UUID, Claim] = {}
        self.award_years: dict[UUID, int] = {}
        self.envelopes: dict[str, Envelope] = {}
        self.envelope_years: dict[EnvelopeYear, int] = {}
        self.scheme_balances: Counter[SchemeBalance] = Counter()
        self.flows: Counter[Flow] = Counter()
        self.parties: set[Party] = set()
        self.last_event_at: dict[str, datetime] = {}
        self._tallies_before: dict[Tally, int] = {}

    def take(self, row: Pool | Application | Claim) -> None:
        """Take in a row that was loaded."""
        match row:
            case Pool():
                self.pools[row.pool] = row
            case Application():
                self.applications[row.application_id] = row
                tallies.add(self._tallies_before, row)
            case Claim():
                self.claims[row.claim_id] = row
                tallies.add(self._tallies_before, row)

    def pool(self, pool: str) -> Pool:
        return self.pools.setdefault(pool, Pool(pool=pool))

    def application(self, event: ApplicationEvent) -> Application:
        """Return the row of the application that the event is about."""
        application_id = event.application_id
        row = self.applications.setdefault(application_id, Application(application_id=application_id))
        row.scheme, row.company = event.scheme, company_of(event.applicant)
        return row

    def claim(self, claim_id: UUID, scheme: str) -> Claim:
        row = self.claims.setdefault(claim_id, Claim(claim_id=claim_id))
        row.scheme = scheme
        return row

    def companies(self) -> dict[UUID, UUID]:
        """Return the companies of the applications of this batch, by application."""
        return {row.application_id: row.company for row in self.applications.values() if row.company is not None}

    def tallies(self) -> Mapping[Tally, int]:
        """Return what this batch adds to each tally (or takes from it)."""
        changes = {tally: -before for tally, before in self._tallies_before.items()}
        for application in self.applications.values():
            tallies.add(changes, application)
        for claim in self.claims.values():
            tallies.add(changes, claim)
        return {tally: change for tally, change in changes.items() if change}

    def count(self, transfer: TransferPosted) -> None:
        """Add a transfer to what moved per scheme and fiscal year, and per district and day."""
        scheme, district = transfer.scheme or "", transfer.district or ""
        local = transfer.posted_at.astimezone(self._calendar)
        year = self._year_of_award(transfer, local)
        for state, amount in books.legs(transfer):
            self.scheme_balances[(transfer.pool, scheme, year, state)] += amount
            self.flows[(transfer.pool, scheme, district, local.date(), state)] += amount
            if transfer.application_id is not None and state in _COUNTED:
                month = local.date().replace(day=1)
                self.parties.add((transfer.pool, district, month, state, transfer.application_id))

    def _year_of_award(self, transfer: TransferPosted, local: datetime) -> int:
        """Return the year whose envelope pays: that of the award's commitment, whenever it is paid or given back."""
        if transfer.award_id is None:
            return books.year_of(local)
        if books.opens_award(transfer):
            self.award_years.setdefault(transfer.award_id, books.year_of(local))
        return self.award_years.get(transfer.award_id, books.year_of(local))

    def note_time(self, topic: str, moment: datetime) -> None:
        """Remember the time of a topic's latest event."""
        self.last_event_at[topic] = max(moment, self.last_event_at.get(topic, moment))
