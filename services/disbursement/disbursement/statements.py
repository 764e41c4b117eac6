"""The statements that load a book, each written out once and run by the driver (``kit.driver``).

Kinds of records that may be found in several ways have a statement for each combination of ways that occurs: a way
with nothing to look for would still be looked for. A state that a partial index is about is part of the text: as a
parameter it would keep the index out of a plan that is kept.
"""

from collections.abc import Iterable
from itertools import chain, combinations
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Integer,
    Select,
    Table,
    Text,
    bindparam,
    cast,
    literal_column,
    or_,
    select,
)

from disbursement import tables
from disbursement.records import (
    Account,
    Application,
    Award,
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
)
from kit.among import among_given, pairs_among_given
from kit.driver import Prepared


def _columns(table: Table, kind: type[Any]) -> list[Column[Any]]:
    """Return the columns of a record, field by field. Raises KeyError where one has no column."""
    return [table.c[name] for name in kind.__struct_fields__]


def _is(column: Column[Any], state: str) -> ColumnElement[bool]:
    return column == literal_column(f"'{state}'")


def _pair(table: Table) -> list[Column[Any]]:
    return [table.c.scheme, table.c.fiscal_year]


# --- before the locks -------------------------------------------------------------------------------------------


def _places(table: Table, column: Column[Any]) -> Prepared:
    return Prepared(select(table.c.scheme, table.c.pool).where(among_given(column, "ids")).distinct())


LOCKED_ORDERS: Final = Prepared(
    select(*_columns(tables.orders, Order))
    .where(among_given(tables.orders.c.order_id, "orders"))
    .order_by(tables.orders.c.order_id)
    .with_for_update()
)
PLACES_OF_PAYMENTS: Final = _places(tables.payments, tables.payments.c.payment_id)
PLACES_OF_RECOVERIES: Final = _places(tables.recoveries, tables.recoveries.c.recovery_id)
PLACES_OF_AWARDS: Final = _places(tables.awards, tables.awards.c.award_id)
POOLS_OF_LINES: Final = Prepared(
    select(tables.lines.c.pool).where(pairs_among_given(_pair(tables.lines), ("schemes", "years")))
)

_policies: Final = tables.policies.c
_versions: Final = select(_policies.scheme, _policies.version, cast(cast(literal_column("xmin"), Text), BigInteger))
VERSIONS: Final = Prepared(_versions)
VERSIONS_OF_SCHEMES: Final = Prepared(_versions.where(among_given(_policies.scheme, "schemes")))
POLICIES: Final = Prepared(
    select(_policies.scheme, _policies.version, cast(_policies.policy, Text)).where(
        pairs_among_given((_policies.scheme, _policies.version), ("schemes", "versions"))
    )
)

_pools: Final = select(*_columns(tables.pools, Pool)).order_by(tables.pools.c.pool).with_for_update()
LOCKED_POOLS: Final = Prepared(_pools.where(among_given(tables.pools.c.pool, "pools")))
ALL_POOLS_LOCKED: Final = Prepared(_pools)

# --- under the locks --------------------------------------------------------------------------------------------

LINES: Final = Prepared(select(*_columns(tables.lines, Line)).where(among_given(tables.lines.c.pool, "pools")))
HEAD_OF_LINE: Final = Prepared(
    select(*_columns(tables.applications, Application))
    .where(
        tables.applications.c.scheme == bindparam("scheme"),
        tables.applications.c.fiscal_year == bindparam("year"),
        _is(tables.applications.c.state, "waitlisted"),
    )
    .order_by(tables.applications.c.submitted_at, tables.applications.c.application_id)
    .limit(bindparam("at_most", type_=Integer))
)
NETTINGS: Final = Prepared(
    select(*_columns(tables.nettings, Netting)).where(among_given(tables.nettings.c.payment_id, "payments"))
)
AWARDS_OF_RECOVERIES: Final = Prepared(
    select(tables.recoveries.c.award_id).where(among_given(tables.recoveries.c.recovery_id, "recoveries"))
)
ENVELOPES: Final = Prepared(
    select(*_columns(tables.envelopes, Envelope)).where(
        pairs_among_given(_pair(tables.envelopes), ("schemes", "years"))
    )
)
CAPS: Final = Prepared(
    select(*_columns(tables.caps, Cap)).where(
        tables.caps.c.scheme == bindparam("scheme"),
        tables.caps.c.fiscal_year == bindparam("year"),
        among_given(tables.caps.c.holder, "holders"),
    )
)
STACKS: Final = Prepared(
    select(*_columns(tables.stacks, Stack)).where(
        pairs_among_given((tables.stacks.c.provider, tables.stacks.c.number), ("providers", "numbers"))
    )
)
DIFFERENCES: Final = Prepared(
    select(tables.reconciliations.c.pool, tables.reconciliations.c.check_name)
    .where(among_given(tables.reconciliations.c.pool, "pools"), tables.reconciliations.c.difference > 0)
    .order_by(tables.reconciliations.c.check_name)
)

# --- what may be found in several ways --------------------------------------------------------------------------


Ways = tuple[Select[Any], dict[str, ColumnElement[bool]]]


def _selecting(table: Table, kind: type[Any], **ways: ColumnElement[bool]) -> Ways:
    return select(*_columns(table, kind)), ways


_WAYS: Final[dict[type[Any], Ways]] = {
    Claim: _selecting(tables.claims, Claim, claims=among_given(tables.claims.c.claim_id, "claims")),
    Application: _selecting(
        tables.applications,
        Application,
        applications=among_given(tables.applications.c.application_id, "applications"),
    ),
    Award: _selecting(
        tables.awards,
        Award,
        awards=among_given(tables.awards.c.award_id, "awards"),
        applications=among_given(tables.awards.c.application_id, "applications"),
    ),
    Payment: _selecting(
        tables.payments,
        Payment,
        payments=among_given(tables.payments.c.payment_id, "payments"),
        verifications=_is(tables.payments.c.status, "held")
        & among_given(tables.payments.c.verification_id, "verifications"),
    ),
    Report: _selecting(
        tables.reports,
        Report,
        payments=_is(tables.reports.c.effect, "moved") & among_given(tables.reports.c.payment_id, "payments"),
        recoveries=_is(tables.reports.c.effect, "moved") & among_given(tables.reports.c.recovery_id, "recoveries"),
    ),
    Recovery: _selecting(
        tables.recoveries,
        Recovery,
        recoveries=among_given(tables.recoveries.c.recovery_id, "recoveries"),
        awards=among_given(tables.recoveries.c.award_id, "awards"),
        claimants=_is(tables.recoveries.c.status, "demanded")
        & among_given(tables.recoveries.c.applicant, "claimants")
        & among_given(tables.recoveries.c.pool, "pools"),
    ),
    Account: _selecting(
        tables.accounts,
        Account,
        verifications=among_given(tables.accounts.c.verification_id, "verifications"),
        companies=among_given(tables.accounts.c.applicant, "companies"),
    ),
    Company: _selecting(tables.companies, Company, companies=among_given(tables.companies.c.uscc, "companies")),
}


def _combinations(ways: Iterable[str]) -> Iterable[tuple[str, ...]]:
    names = tuple(ways)
    return chain.from_iterable(combinations(names, count) for count in range(1, len(names) + 1))


FINDING: Final = {
    (kind, frozenset(ways)): Prepared(query.where(or_(*(conditions[way] for way in ways))))
    for kind, (query, conditions) in _WAYS.items()
    for ways in _combinations(conditions)
}
"""By a kind and the ways that something is looked for in; each way takes an array of its name."""
