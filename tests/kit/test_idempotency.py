"""Idempotency keys on real PostgreSQL: one answer per key, kept as long as promised."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.refusal import Refusal
from kit import idempotency
from kit.database import Database
from kit.idempotency import Answer, Key, request_hash
from kit.rows import Writes

ASKED = Key("portal", "k1", request_hash("POST", "/v1/applications", b"{}"))
ANSWER = Answer(201, '{"名称": 1}'.encode(), {"location": "/v1/applications/1", "etag": '"1"'})


async def keep(connection: AsyncConnection, answers: list[tuple[Key, Answer]]) -> None:
    writes = Writes(connection)
    idempotency.keep(writes, answers)
    await writes.make()


async def test_an_answer_is_found_again_to_the_byte(database: Database) -> None:
    async with database.transaction() as connection:
        await keep(connection, [(ASKED, ANSWER)])
    async with database.transaction() as connection:
        assert await idempotency.find(connection, [ASKED]) == {ASKED: ANSWER}


async def test_an_unknown_key_has_no_answer(database: Database) -> None:
    async with database.transaction() as connection:
        assert await idempotency.find(connection, [ASKED]) == {}
        assert await idempotency.find(connection, []) == {}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("PUT", "/v1/applications", b"{}"), ("POST", "/v1/claims", b"{}"), ("POST", "/v1/applications", b"{ }")],
)
async def test_another_request_under_the_key_is_refused(
    database: Database, method: str, path: str, body: bytes
) -> None:
    other = Key("portal", "k1", request_hash(method, path, body))
    async with database.transaction() as connection:
        await keep(connection, [(ASKED, ANSWER)])
        found = (await idempotency.find(connection, [other]))[other]
    assert isinstance(found, Refusal)
    assert (found.code, found.status) == ("idempotency_key_reused", 422)


async def test_a_key_is_answered_once(database: Database) -> None:
    async with database.transaction() as connection:
        await keep(connection, [(ASKED, ANSWER)])
    with pytest.raises(IntegrityError):
        async with database.transaction() as connection:
            await keep(connection, [(ASKED, Answer(200, b""))])


async def test_an_answer_lives_with_its_effect(database: Database) -> None:
    """When the transaction of the effect is rolled back there is no answer either."""
    async with database.engine.connect() as connection:
        await keep(connection, [(ASKED, ANSWER)])
        await connection.rollback()
    async with database.transaction() as connection:
        assert await idempotency.find(connection, [ASKED]) == {}


@pytest.mark.parametrize(("days", "forgotten"), [(7, 0), (9, 1)])
async def test_answers_are_kept_for_as_long_as_promised(database: Database, days: int, forgotten: int) -> None:
    async with database.transaction() as connection:
        await keep(connection, [(ASKED, ANSWER)])
        age = text("UPDATE idempotency SET created_at = now() - make_interval(days => :days)")
        await connection.execute(age, {"days": days})
        assert await idempotency.forget_old(connection) == forgotten
