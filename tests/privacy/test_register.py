"""The register of personal data is complete, and its page says what it says."""

from importlib import import_module

import msgspec
import pytest

from contracts.topics import EVENTS, SERVICES
from tests.privacy import not_personal, register

import_module("intake.push.tables")  # they belong to intake's

SAY = "say in tests/privacy/register.py or not_personal.py whether these are personal"
PERSONAL = {where for entry in register.DATABASES for where in entry.where}
PERSONAL_FIELDS = {where for entry in register.EVENTS for where in entry.where}


def columns(service: str) -> set[str]:
    tables = import_module(f"{service}.tables").metadata.tables
    return {f"{service}.{name}.{column.name}" for name, table in tables.items() for column in table.columns}


def impersonal(service: str) -> set[str]:
    listed = not_personal.COLUMNS[service]
    return {f"{service}.{table}.{column}" for table, names in listed.items() for column in names.split()}


@pytest.mark.parametrize("service", SERVICES)
def test_every_column_is_personal_or_not(service: str) -> None:
    classified = impersonal(service) | {where for where in PERSONAL if where.startswith(f"{service}.")}
    assert sorted(columns(service) - classified) == [], SAY
    assert sorted(classified - columns(service)) == [], "these are gone"
    assert sorted(impersonal(service) & PERSONAL) == [], "these are said to be both"


def test_every_field_of_an_event_is_personal_or_not() -> None:
    fields = {
        f"{event.TYPE}.{field.encode_name}" for event in EVENTS.values() for field in msgspec.structs.fields(event)
    }
    unknown = {
        field
        for field in fields - PERSONAL_FIELDS - not_personal.FIELDS_OF_ONE_EVENT
        if field.rpartition(".")[2] not in not_personal.FIELDS
    }
    assert sorted(unknown) == [], SAY
    names = {field.rpartition(".")[2] for field in fields}
    assert sorted(not_personal.FIELDS - names) == [], "no event has such a field"
    assert sorted((PERSONAL_FIELDS | not_personal.FIELDS_OF_ONE_EVENT) - fields) == [], "these are gone"


@pytest.mark.parametrize("service", ["intake", "eligibility", "disbursement"])
def test_an_export_has_every_table_that_speaks_of_an_applicant(service: str) -> None:
    holdings = import_module(f"{service}.privacy").Holdings
    speaking = {"applicant", "uscc", "application_id", "claim_id", "payment_id", "award_id", "recovery_id"}
    tables = {
        name
        for name, table in import_module(f"{service}.tables").metadata.tables.items()
        if speaking & {column.name for column in table.columns}
    }
    assert sorted(tables - set(holdings.tables) - {"privacy_audit"}) == []


def test_the_page_is_what_the_register_says() -> None:
    assert register.PAGE.read_text(encoding="utf-8") == register.page(), "python -m tests.privacy.register"
