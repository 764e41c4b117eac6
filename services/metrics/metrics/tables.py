"""The tables of the projection. Amounts are BIGINT fen.

Three kinds. *Rows* (pools, applications, claims) are locked when loaded and stored whole. *Totals* (tallies,
scheme_balances, flows) only ever get differences added. *Who is behind them* (companies_behind, parties) is
only ever joined. In every table the key's columns come first.
"""

from typing import Any, Final

from sqlalchemy import BigInteger, Column, Date, DateTime, Integer, PrimaryKeyConstraint, Table, Text, Uuid

from contracts.chain import GENESIS
from kit.tables import new_metadata
from metrics.rules.books import STATES
from metrics.rules.lifecycle import OUTCOMES

metadata: Final = new_metadata()
parked: Final = metadata.tables["parked"]


def _whole(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


def _word(name: str, default: str | None = None) -> Column[str]:
    return Column(name, Text, nullable=False, server_default=default)


def _moment(name: str, *, nullable: bool = True) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


# --- rows ----------------------------------------------------------------------------------------------------

pools: Final = Table(
    "pools",
    metadata,
    Column("pool", Text, primary_key=True),
    _whole("version"),
    _word("hash", GENESIS),
    _whole("appropriated"),
    *[_whole(state) for state in STATES],
    *[_whole(f"carried_{state}") for state in STATES],
    _whole("breaks"),
    Column("last_break", Text),
)

applications: Final = Table(
    "applications",
    metadata,
    Column("application_id", Uuid, primary_key=True),
    *[_word(name, "") for name in ("scheme", "intake", "eligibility", "disbursement")],
    *[_whole(name) for name in ("clarifications", "appeals")],
    Column("company", Uuid),
    _moment("submitted_at"),
    *[_moment(f"{outcome}_at") for outcome in OUTCOMES],
    *[_moment(name) for name in ("claimed_at", "paid_at")],
    Column("waits_for_pool", Text),
    *[_whole(name) for name in ("waits_for", "awarded")],
    _word("measures", "{}"),
)

claims: Final = Table(
    "claims",
    metadata,
    Column("claim_id", Uuid, primary_key=True),
    _word("scheme", ""),
    *[_moment(name) for name in ("submitted_at", "instructed_at", "settled_at")],
)

award_years: Final = Table(
    "award_years",
    metadata,
    Column("award_id", Uuid, primary_key=True),
    Column("fiscal_year", Integer, nullable=False),
)

envelopes: Final = Table(
    "envelopes",
    metadata,
    Column("scheme", Text, primary_key=True),
    _word("policy_version"),
    Column("envelope", BigInteger),
    *[_word(name, "") for name in ("title_zh", "title_en")],
)

envelope_years: Final = Table(
    "envelope_years",
    metadata,
    Column("scheme", Text, nullable=False),
    Column("fiscal_year", Integer, nullable=False),
    Column("appropriated", BigInteger, nullable=False),
    PrimaryKeyConstraint("scheme", "fiscal_year"),
)

progress: Final = Table(
    "progress",
    metadata,
    Column("topic", Text, primary_key=True),
    _moment("last_event_at", nullable=False),
)

companies_behind: Final = Table(
    "companies_behind",
    metadata,
    *[_word(name) for name in ("pool", "district")],
    Column("month", Date, nullable=False),
    _word("state"),
    Column("company", Uuid, nullable=False),
    PrimaryKeyConstraint("pool", "district", "month", "state", "company"),
)
"""Which companies a pool's money moved for: of each district, month and state the first that came (``parties``)."""

parties: Final = Table(
    "parties",
    metadata,
    Column("application_id", Uuid, nullable=False),
    *[_word(name) for name in ("pool", "district")],
    Column("month", Date, nullable=False),
    _word("state"),
    PrimaryKeyConstraint("application_id", "pool", "district", "month", "state"),
)
"""For whose applications it moved while no company of theirs was known: what waits for their events."""

# --- totals --------------------------------------------------------------------------------------------------

tallies: Final = Table(
    "tallies",
    metadata,
    *[_word(name) for name in ("name", "scheme", "label")],
    _whole("value"),
    PrimaryKeyConstraint("name", "scheme", "label"),
)

scheme_balances: Final = Table(
    "scheme_balances",
    metadata,
    *[_word(name) for name in ("pool", "scheme")],
    Column("fiscal_year", Integer, nullable=False),
    _word("state"),
    _whole("amount"),
    PrimaryKeyConstraint("pool", "scheme", "fiscal_year", "state"),
)

flows: Final = Table(
    "flows",
    metadata,
    *[_word(name) for name in ("pool", "scheme", "district")],
    Column("day", Date, nullable=False),
    _word("state"),
    _whole("amount"),
    PrimaryKeyConstraint("pool", "scheme", "district", "day", "state"),
)
