"""Accounts and contacts in intake: who sees them, what is stored of them, how they are sealed anew."""

import json
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from contracts.events import ApplicationSubmitted
from intake import sealed
from kit import accounts
from kit.database import Database
from kit.resealing import Resealer, uses
from kit.sealing import Keyring
from tests.intake.conftest import calling
from tests.intake.scenes import Portal, application

NUMBER, EMAIL, PHONE = "6222000011112222", "a@example.com", "+86 755 1234567"
CLEAR = (NUMBER, EMAIL, PHONE, "1234567", "联系人")


async def everything(database: Database) -> str:
    """Return all text of all tables, as a dump would have it."""
    async with database.reading() as connection:
        names = (
            await connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        ).scalars()
        rows = [
            str(row)
            for name in names
            for row in (await connection.execute(text(f'SELECT CAST(t AS text) FROM "{name}" AS t'))).scalars()
        ]
    found = "\n".join(rows)
    # bytea is shown in hex
    return found + "".join(bytes.fromhex(part).decode(errors="replace") for part in _hex(found))


def _hex(found: str) -> list[str]:
    return [word[: len(word) // 2 * 2] for part in found.split("\\x")[1:] if (word := part.split('"')[0].split(",")[0])]


async def test_nothing_of_a_person_stands_in_the_database_in_clear(portal: Portal, empty_database: Database) -> None:
    draft = await portal.apply(submit=False)
    await portal.client.patch(
        f"/v1/applications/{draft.json()['application_id']}", json={"applicant": application()["applicant"]}
    )
    await portal.apply()
    dump = await everything(empty_database)
    assert "****2222" in dump, "the dump has what is stored"
    assert [value for value in CLEAR if value in dump] == []


async def test_the_event_carries_the_account_sealed(portal: Portal, empty_database: Database) -> None:
    created = (await portal.apply()).json()
    [event] = [each for each in await portal.told() if isinstance(each, ApplicationSubmitted)]
    account = event.company.account
    assert (account.name, account.account, account.bank_code) == ("测试公司", "****2222", "ICBKCNBJ")
    assert empty_database.keyring is not None
    opened = accounts.opened(empty_database.keyring, UUID(created["application_id"]), account)
    assert (opened.name, opened.account) == ("测试公司", NUMBER)


async def test_the_portal_sees_its_contact_and_a_mask_of_the_account(portal: Portal) -> None:
    created = (await portal.apply()).json()
    for shown in (created, await portal.state(created["application_id"])):
        assert shown["applicant"]["account"] == {"name": "测试公司", "number": "****2222", "bank_code": "ICBKCNBJ"}
        assert shown["applicant"]["contact"] == {"name": "联系人", "email": EMAIL, "phone": PHONE}


async def test_a_contact_that_cant_be_opened_is_masked_and_told_of_and_takes_no_other_with_it(
    portal: Portal, empty_database: Database
) -> None:
    spoilt, whole = [(await portal.apply(submit=False)).json()["application_id"] for _ in range(2)]
    another = """
        UPDATE applications SET body = jsonb_set(body, '{applicant,contact,sealed}', (
            SELECT body #> '{applicant,contact,sealed}' FROM applications WHERE application_id = :whole))
        WHERE application_id = :spoilt
    """  # what was sealed for one application can't be opened in another
    async with empty_database.transaction() as connection:
        await connection.execute(text(another), {"spoilt": UUID(spoilt), "whole": UUID(whole)})
    with capture_logs() as logs:
        page = await portal.client.get("/v1/applications")
    assert page.status_code == 200
    emails = {item["application_id"]: item["applicant"]["contact"]["email"] for item in page.json()["items"]}
    assert (emails[whole], "***" in emails[spoilt]) == (EMAIL, True)
    assert [entry["application_id"] for entry in logs if entry["event"] == "contact_unreadable"] == [spoilt]


@pytest.mark.parametrize("scope", ["officer", "auditor"])
async def test_officers_and_auditors_see_masks(portal: Portal, app: Any, issuer: Any, scope: str) -> None:
    created = (await portal.apply()).json()
    async with calling(app, issuer, scope, client_id="desk") as client:
        shown = (await client.get(f"/v1/applications/{created['application_id']}")).json()
        listed = (await client.get("/v1/applications")).json()["items"][0]
    for each in (shown, listed):
        assert each["applicant"]["account"]["number"] == "****2222"
        assert each["applicant"]["contact"] == {"name": "联**", "email": "a***@example.com", "phone": "****4567"}


@pytest.mark.parametrize(
    ("field", "mask"),
    [
        ("account.number", "****2222"),
        ("account.name", "测**"),
        ("contact.phone", "****4567"),
        ("contact.email", "a***@example.com"),
        ("contact.name", "联**"),
    ],
)
async def test_a_mask_that_is_sent_back_is_refused_by_its_field(portal: Portal, field: str, mask: str) -> None:
    draft = (await portal.apply(submit=False)).json()
    applicant = application(**{f"applicant.{field}": mask})["applicant"]
    answer = await portal.client.patch(f"/v1/applications/{draft['application_id']}", json={"applicant": applicant})
    assert answer.status_code == 422
    assert answer.json()["pointer"] == f"/applicant/{field.replace('.', '/')}"
    assert "掩码" in answer.json()["detail"]
    assert (await portal.state(draft["application_id"]))["version"] == draft["version"]


async def test_a_changed_draft_keeps_what_was_not_sent(portal: Portal) -> None:
    draft = (await portal.apply(submit=False)).json()
    place = f"/v1/applications/{draft['application_id']}"
    await portal.client.patch(place, json={"request": application()["request"]})
    submitted = await portal.client.post(f"{place}/submission")
    assert submitted.status_code == 200
    assert submitted.json()["applicant"]["contact"]["email"] == EMAIL


async def test_a_repeated_request_gets_the_same_answer_to_the_byte(portal: Portal) -> None:
    first = await portal.apply(key="twice")
    again = await portal.apply(key="twice")
    assert (first.status_code, first.content) == (again.status_code, again.content)


# --- rows from before, and new keys -----------------------------------------------------------------------------------


async def store_in_clear(database: Database) -> None:
    """Put an application back into the form that it had before accounts were sealed."""
    clear = application()["applicant"]
    async with database.transaction() as connection:
        await connection.execute(
            text("UPDATE applications SET body = jsonb_set(body, '{applicant}', CAST(:clear AS jsonb))"),
            {"clear": json.dumps(clear)},
        )
        await connection.execute(text("DELETE FROM idempotency"))
    assert NUMBER in await everything(database)


async def test_a_row_from_before_is_read_masked_and_sealed_in_the_background(
    portal: Portal, empty_database: Database
) -> None:
    created = (await portal.apply()).json()
    await store_in_clear(empty_database)
    before = await portal.state(created["application_id"])
    assert before["applicant"]["account"]["number"] == "****2222"
    assert await Resealer(empty_database, sealed.COLUMNS).look() == 1
    assert await Resealer(empty_database, sealed.COLUMNS).look() == 0
    assert await portal.state(created["application_id"]) == before
    assert [value for value in CLEAR if value in await everything(empty_database)] == []


async def test_a_draft_from_before_is_sealed_when_it_is_submitted(portal: Portal, empty_database: Database) -> None:
    draft = (await portal.apply(submit=False)).json()
    await store_in_clear(empty_database)
    assert (await portal.client.post(f"/v1/applications/{draft['application_id']}/submission")).status_code == 200
    assert NUMBER not in await everything(empty_database)


async def test_with_a_new_key_all_is_sealed_anew_while_more_comes_in(portal: Portal, empty_database: Database) -> None:
    keyring = empty_database.keyring
    assert keyring is not None
    old = keyring.current
    first = (await portal.apply()).json()
    _rotate(keyring)
    second = (await portal.apply(**{"request.contract.number": "HT-2"})).json()
    async with empty_database.reading() as connection:
        found = {(use.table, use.key_id) for use in await uses(connection, keyring, sealed.COLUMNS)}
    assert found >= {("applications", old), ("applications", keyring.current), ("idempotency", old)}
    assert await Resealer(empty_database, sealed.COLUMNS).look() == 1
    async with empty_database.reading() as connection:
        found = {(use.table, use.key_id) for use in await uses(connection, keyring, sealed.COLUMNS)}
    assert ("applications", old) not in found
    for each in (first, second):
        assert (await portal.state(each["application_id"]))["applicant"] == each["applicant"]


def _rotate(keyring: Keyring) -> None:
    """Put a new key in front, as reading a changed file does."""
    other = Keyring.fresh()
    new = f"new-{len(keyring.key_ids)}"
    keyring._ciphers = {new: other._seals_with, **keyring._ciphers}
    keyring._seals_with, keyring.current = other._seals_with, new
