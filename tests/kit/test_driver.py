"""Statements that go to the driver: in SQLAlchemy's transaction, with SQLAlchemy's errors."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, bindparam, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from kit.among import among_given, pairs_among_given
from kit.database import Database, is_transient
from kit.driver import Prepared, execute, fetch, together
from stack.postgres import Postgres
from tests.kit.conftest import SERVICE

_TALLIES = Table("tallies", MetaData(), Column("name", Text), Column("label", Text), Column("value", BigInteger))
_ADD = "INSERT INTO tallies (name, scheme, label, value) VALUES ($1, '', $2, $3)"
_ALL = "SELECT label, value FROM tallies ORDER BY label"


class UndoneError(Exception):
    """What rolls a transaction back."""


def plain(rows: list[Any]) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in rows]


async def kept(database: Database) -> list[tuple[Any, ...]]:
    async with database.reading() as connection:
        return plain(await fetch(connection, _ALL))


async def test_what_comes_first_is_in_the_transaction_already(database: Database) -> None:
    async def undo() -> None:
        async with database.transaction() as connection:
            assert plain(await fetch(connection, f"{_ADD} RETURNING value", "x", "undone", 2)) == [(2,)]
            raise UndoneError

    async with database.transaction() as connection:
        assert await execute(connection, _ADD, "x", "kept", 1) == 1
    with pytest.raises(UndoneError):
        await undo()
    assert await kept(database) == [("kept", 1)]


async def test_both_ways_share_one_transaction(database: Database) -> None:
    async def undo() -> None:
        async with database.transaction() as connection:
            await execute(connection, _ADD, "x", "driver", 1)
            seen = await connection.execute(text("SELECT label FROM tallies"))
            assert seen.scalars().all() == ["driver"]
            await connection.execute(text("UPDATE tallies SET value = 2"))
            assert plain(await fetch(connection, _ALL)) == [("driver", 2)]
            raise UndoneError

    with pytest.raises(UndoneError):
        await undo()
    assert await kept(database) == []


async def test_a_read_outside_a_transaction_sees_what_others_commit_meanwhile(database: Database) -> None:
    async with database.reading() as connection:
        assert await fetch(connection, _ALL) == []
        async with database.transaction() as another:
            await execute(another, _ADD, "x", "new", 1)
        assert plain(await fetch(connection, _ALL)) == [("new", 1)]


async def test_how_many_rows_were_written(database: Database) -> None:
    async with database.transaction() as connection:
        for number in range(3):
            await execute(connection, _ADD, "x", str(number), number)
        assert await execute(connection, "UPDATE tallies SET value = 9 WHERE value > $1", 0) == 2
        assert await execute(connection, "DELETE FROM tallies") == 3


async def test_a_row_that_is_there_already_is_an_integrity_error(database: Database) -> None:
    async def add_twice() -> None:
        async with database.transaction() as connection:
            for _ in range(2):
                await execute(connection, _ADD, "x", "once", 1)

    with pytest.raises(IntegrityError):
        await add_twice()
    assert await kept(database) == []


async def test_a_connection_that_is_lost_on_the_way_is_worth_a_try(database: Database, postgres: Postgres) -> None:
    async def lose(connection: AsyncConnection) -> None:
        [[pid]] = await fetch(connection, "SELECT pg_backend_pid()")
        other = Database(postgres.superuser_dsn(SERVICE), pool_size=1)
        async with other.transaction() as another:
            await fetch(another, "SELECT pg_terminate_backend($1, 5000)", pid)
        await other.close()
        await fetch(connection, "SELECT 1")

    async def write() -> None:
        async with database.transaction() as connection:
            await lose(connection)

    with pytest.raises(DBAPIError) as lost:
        await write()
    assert lost.value.connection_invalidated
    assert is_transient(lost.value)
    assert await kept(database) == [], "the pool has made another one"


async def test_a_prepared_statement_takes_names_and_keeps_what_was_fixed(database: Database) -> None:
    statement = select(_TALLIES.c.label).where(_TALLIES.c.name == "x", _TALLIES.c.value > bindparam("least"))
    prepared = Prepared(statement.order_by(_TALLIES.c.label))
    async with database.transaction() as connection:
        for name, number in (("x", 1), ("x", 2), ("x", 3), ("y", 3)):
            await execute(connection, _ADD, name, str(number), number)
        assert plain(await prepared.rows(connection, least=1)) == [("2",), ("3",)]
        with pytest.raises(KeyError):
            await prepared.rows(connection)


async def test_one_of_these_and_one_of_these_pairs(database: Database) -> None:
    columns = _TALLIES.c
    one = Prepared(select(columns.label).where(among_given(columns.value, "values")).order_by(columns.label))
    paired = pairs_among_given([columns.name, columns.label], ["names", "labels"])
    pair = Prepared(select(columns.value).where(paired).order_by(columns.value))
    async with database.transaction() as connection:
        for name, label, number in (("x", "a", 1), ("x", "b", 2), ("y", "b", 3)):
            await execute(connection, _ADD, name, label, number)
        assert plain(await one.rows(connection, values=[1, 3])) == [("a",), ("b",)]
        assert await one.rows(connection, values=[]) == []
        found = await pair.rows(connection, names=["x", "y", "y"], labels=["a", "a", "b"])
        assert plain(found) == [(1,), (3,)]


async def test_whatever_a_terminated_backend_raises_is_worth_a_try(database_url: str, postgres: Postgres) -> None:
    """It may end while a connection is made, before a statement is sent, or in the middle: each has its own error."""
    victims, other = (Database(url, pool_size=4) for url in (database_url, postgres.superuser_dsn(SERVICE)))
    stop, seen = asyncio.Event(), list[Exception]()

    async def work(number: int) -> None:
        try:
            async with victims.reading() if number % 2 else victims.transaction() as connection:
                for _ in range(40):
                    await fetch(connection, "SELECT $1::int", number)
        except Exception as error:  # noqa: BLE001  # all of them are looked at
            seen.append(error)

    async def terminate() -> None:
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1 AND datname = $2"
        while not stop.is_set():
            async with other.reading() as connection:
                await fetch(connection, query, SERVICE, SERVICE)

    terminating = asyncio.create_task(terminate())
    for _ in range(60):
        await asyncio.gather(*map(work, range(4)))
    stop.set()
    await terminating
    await victims.close()
    await other.close()
    assert len(seen) > 100
    assert [error for error in seen if not is_transient(error)] == []
    assert [error for error in seen if not isinstance(error, SQLAlchemyError | OSError)] == [], "loops wait for these"


_EVERY_KIND = Prepared(
    text(
        "SELECT CAST(:id AS uuid), CAST(:at AS timestamptz), CAST(:data AS jsonb), ARRAY['a', 'b'], CAST(NULL AS text)"
    )
)
_NUMBERS = Prepared(text("SELECT n FROM generate_series(CAST(:first AS bigint), :last) AS n ORDER BY n DESC"))


async def test_statements_that_run_together_have_each_its_own_values_and_rows(database: Database) -> None:
    one, now = uuid4(), datetime.now(UTC)
    asked: list[tuple[Prepared, dict[str, Any]]] = [
        (_NUMBERS, {"first": 1, "last": 3}),
        (_EVERY_KIND, {"id": one, "at": now, "data": '{"a": [1]}'}),
        (_NUMBERS, {"first": 7, "last": 6}),
        (_NUMBERS, {"first": 5, "last": 5}),
    ]
    async with database.transaction() as connection:
        found = await together(connection, asked)
        assert [plain(rows) for rows in found] == [plain(await each.rows(connection, **given)) for each, given in asked]
    assert plain(found[0]) == [(3,), (2,), (1,)]
    assert plain(found[1]) == [(one, now, {"a": [1]}, ["a", "b"], None)]


async def test_nothing_to_run_together_is_no_statement(database: Database) -> None:
    async with database.reading() as connection:
        assert await together(connection, []) == []
