"""A policy is published while everything runs: checked, recorded and announced once, refused with place and cure."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from sqlalchemy import text

from contracts.codec import decode
from contracts.events import PolicyPublished
from eligibility.policies import parse_document
from eligibility.publication import publish
from kit.database import Database
from kit.errors import SetupError
from tests.eligibility.persons import Persons, process
from tests.eligibility.scenes import POLICIES

WRITTEN = (POLICIES / "compute-voucher.yaml").read_text()


@pytest.fixture
async def editor(database: Database) -> AsyncIterator[Persons]:
    async with process(database) as persons:
        yield persons


def document(scheme: str, *edits: tuple[str, str]) -> str:
    written = WRITTEN.replace("scheme: compute-voucher", f"scheme: {scheme}", 1)
    for old, new in edits:
        assert old in written
        written = written.replace(old, new, 1)
    return written


async def announced(database: Database, scheme: str) -> list[str]:
    async with database.reading() as connection:
        rows = await connection.execute(text("SELECT type, data FROM outbox WHERE key = :key"), {"key": scheme})
        events = [decode(row.type, bytes(row.data)) for row in rows]
    return [event.policy_version for event in events if isinstance(event, PolicyPublished)]


async def test_it_is_published_once_however_often_it_is_sent(editor: Persons, database: Database) -> None:
    scheme = f"test-{uuid4().hex[:8]}"
    sent = document(scheme)
    answers = await asyncio.gather(*(editor.post("/v1/policies", sent, scope="policy-editor") for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 201]
    assert await announced(database, scheme) == ["2026.1"]
    [shown] = (await editor.get(f"/v1/policies/{scheme}"))["items"]
    assert shown["content_hash"] == answers[0].json()["content_hash"]
    lines = (await editor.get("/v1/audit?limit=500", scope="auditor"))["items"]
    assert [line["who"] for line in lines if line["data"].get("scheme") == scheme] == ["anna"]


async def test_only_a_policy_editor_publishes(editor: Persons) -> None:
    refused = await editor.post("/v1/policies", document("test-x"), scope="officer")
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")


async def test_a_published_version_never_changes(editor: Persons, database: Database) -> None:
    scheme = f"test-{uuid4().hex[:8]}"
    await editor.post("/v1/policies", document(scheme), scope="policy-editor")
    refused = await editor.post("/v1/policies", document(scheme, ("rate: 6000", "rate: 5000")), scope="policy-editor")
    assert (refused.status_code, refused.json()["code"]) == (409, "policy_version_published")
    assert await announced(database, scheme) == ["2026.1"]


async def test_a_correction_names_what_it_replaces(editor: Persons, database: Database) -> None:
    scheme = f"test-{uuid4().hex[:8]}"
    await editor.post("/v1/policies", document(scheme), scope="policy-editor")
    later = ("effective_from: 2026-01-01", "effective_from: 2026-07-01")
    refused = await editor.post(
        "/v1/policies", document(scheme, later, ('"2026.1"', '"2026.2"')), scope="policy-editor"
    )
    assert (refused.status_code, refused.json()["code"]) == (422, "policy_invalid")
    assert "version 2026.1" in refused.json()["detail"]
    right = document(scheme, later, ('"2026.1"', '"2026.2"\nreplaces: "2026.1"'))
    assert (await editor.post("/v1/policies", right, scope="policy-editor")).status_code == 201
    assert await announced(database, scheme) == ["2026.1", "2026.2"]


async def test_a_start_refuses_what_overlaps_a_version_that_was_published_meanwhile(
    editor: Persons, database: Database
) -> None:
    scheme = f"test-{uuid4().hex[:8]}"
    await editor.post("/v1/policies", document(scheme), scope="policy-editor")
    other = parse_document("other.yaml", document(scheme, ('"2026.1"', '"2026.2"')))
    with pytest.raises(SetupError, match=r"other\.yaml: .* version 2026\.1 of .* which overlaps"):
        await publish(database, [other])
    assert await announced(database, scheme) == ["2026.1"]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (
            ("waitlist: whole", "waitlst: whole"),
            "document:23:1: $.waitlst: there is no such field; did you mean waitlist?",
        ),
        (("rate: 6000", "rate: 60.5"), "document:20:1: $.rate: Expected `int`, got `float`"),
        (("!credit_record.blacklisted", "!credits.blacklisted"), "nothing is called credits"),
        (("amount: 1000000000", "amount: -1"), "document:21:7: $.cap.amount: Expected `int` >= 0"),
        (("status: published", "status: draft"), "says that it is a draft"),
    ],
)
async def test_a_wrong_document_is_refused_with_place_and_cure(
    editor: Persons, database: Database, edit: tuple[str, str], said: str
) -> None:
    refused = await editor.post("/v1/policies", document("test-wrong", edit), scope="policy-editor")
    assert refused.status_code == 422
    assert said in refused.json()["detail"]
    assert await announced(database, "test-wrong") == []
