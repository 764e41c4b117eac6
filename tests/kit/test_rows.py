"""Writing many rows on real PostgreSQL: stored as SQLAlchemy would store them, failing as it would fail."""

import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.schema import CreateTable

from kit.database import Database, is_transient
from kit.rows import Row, insert_rows, update_rows
from stack.postgres import Postgres
from tests.kit.conftest import SERVICE

METADATA = MetaData()
THINGS = Table(
    "things",
    METADATA,
    Column("kind", Text),
    Column("number", Integer),
    Column("uuid", Uuid),
    Column("text", Text),
    Column("order", Text),  # a word of SQL
    Column("amount", BigInteger),
    Column("moment", DateTime(timezone=True)),
    Column("json", JSONB),
    Column("json_or_null", JSONB(none_as_null=True)),
    Column("bytes", LargeBinary),
    Column("yes", Boolean),
    Column("texts", ARRAY(Text)),
    Column("counted", BigInteger, Identity()),
    Column("made_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("state", Text, nullable=False, server_default="new"),
    PrimaryKeyConstraint("kind", "number"),
    CheckConstraint("amount >= 0"),
)
ODD_TEXTS = [
    "",
    "NULL",
    "null",
    "{}",
    '{"a"}',
    "\\",
    "\\N",
    "a,b",
    "'",
    '"',
    "\t\n\r",
    "深圳",
    "\U0001f916",
    "%s $1 :a",
]


@pytest.fixture(scope="module")
async def things(database_url: str, postgres: Postgres) -> AsyncIterator[str]:
    owner = await asyncpg.connect(postgres.owner_dsn(SERVICE))
    await owner.execute(str(CreateTable(THINGS).compile(dialect=postgresql.dialect())))  # type: ignore[no-untyped-call]
    yield database_url
    await owner.execute("DROP TABLE things")
    await owner.close()


@pytest.fixture
async def database(things: str) -> AsyncIterator[Database]:
    database = Database(things, pool_size=4, statement_timeout_seconds=1)
    yield database
    async with database.transaction() as connection:
        await connection.execute(text("DELETE FROM things"))
    await database.close()


def thing(number: int, **values: Any) -> Row:
    return {"kind": "a", "number": number, **values}


def anything(random: Random, number: int) -> Row:
    """A row with any value in every column that may hold one."""
    texts = [*ODD_TEXTS, "".join(chr(random.randrange(1, 0xD800)) for _ in range(5))]
    tree = {"a": [1, None, -0.5, True], "b": {random.choice(texts): random.choice(texts)}}
    values: Row = {
        "uuid": UUID(int=random.getrandbits(128)),
        "text": random.choice(texts),
        "order": random.choice(texts),
        "amount": random.choice([0, 1, 2**63 - 1]),
        "moment": datetime(1, 1, 2, tzinfo=UTC) + timedelta(microseconds=random.randrange(2**57)),
        "json": random.choice([tree, [], "text", 7, None]),
        "json_or_null": random.choice([tree, None]),
        "bytes": random.choice([b"", b"\x00\xff\\", random.randbytes(9)]),
        "yes": random.choice([True, False]),
        "texts": random.choice([[], texts, [None, "NULL"]]),
    }
    nulls = {name: None for name in values if random.random() < 0.2}
    return thing(number, **(values | nulls))


async def stored(database: Database) -> list[Row]:
    """What stands in the table, but for what the server counts and times, as text: JSON's null is not SQL's."""
    names = [column.name for column in THINGS.c if column.name not in ("counted", "made_at")]
    columns = ", ".join(f'CAST("{name}" AS text) AS "{name}"' for name in names)
    async with database.reading() as connection:
        found = await connection.execute(text(f"SELECT {columns} FROM things ORDER BY kind, number"))
        return [dict(row) for row in found.mappings()]


async def store(database: Database, *rows: Row) -> None:
    async with database.transaction() as connection:
        await insert_rows(connection, THINGS, rows)


async def update(database: Database, *rows: Row) -> None:
    async with database.transaction() as connection:
        await update_rows(connection, THINGS, rows)


# --- inserts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 200])
async def test_rows_are_stored_as_sqlalchemy_stores_them(database: Database, count: int) -> None:
    rows = [anything(Random(number), number) for number in range(count)]
    async with database.transaction() as connection:
        await connection.execute(insert(THINGS), rows)
    expected = await stored(database)
    async with database.transaction() as connection:
        await connection.execute(text("DELETE FROM things"))
    await store(database, *rows)
    assert await stored(database) == expected


async def test_columns_that_rows_leave_out_get_their_defaults(database: Database) -> None:
    await store(database, thing(1), thing(2))
    async with database.reading() as connection:
        first, second = (await connection.execute(select(THINGS).order_by(THINGS.c.number))).all()
    assert (first.state, first.amount, first.counted + 1) == ("new", None, second.counted)
    assert abs(datetime.now(UTC) - first.made_at) < timedelta(minutes=1)


async def test_no_rows_are_no_statement(database: Database) -> None:
    await store(database)
    await update(database)
    assert await stored(database) == []


@pytest.mark.parametrize(
    ("row", "sqlstate"),
    [(thing(1), "23505"), (thing(2, amount=-1), "23514"), ({"kind": None, "number": 3}, "23502")],
    ids=["there already", "refused by a check", "without its key"],
)
async def test_an_insert_that_breaks_a_constraint_fails_whole(database: Database, row: Row, sqlstate: str) -> None:
    await store(database, thing(1))
    others = [dict.fromkeys(row) | thing(number) for number in (5, 6)]
    for rows in ([row], [others[0], row, others[1]]):
        with pytest.raises(IntegrityError) as refused:
            await store(database, *rows)
        assert (getattr(refused.value.orig, "sqlstate", None), is_transient(refused.value)) == (sqlstate, False)
    assert len(await stored(database)) == 1


async def test_an_insert_is_undone_with_its_transaction_even_as_its_first_statement(database: Database) -> None:
    async with database.engine.connect() as connection:
        await insert_rows(connection, THINGS, [thing(1), thing(2)])
        await connection.rollback()
    assert await stored(database) == []


@pytest.mark.parametrize("rows", [[thing(1)], [thing(1), thing(2)]])
async def test_an_insert_that_waits_too_long_for_another_is_worth_a_try(database: Database, rows: list[Row]) -> None:
    async with database.engine.connect() as first:
        await insert_rows(first, THINGS, [thing(1)])
        with pytest.raises(DBAPIError) as waited:
            await store(database, *rows)
        await first.rollback()
    assert (getattr(waited.value.orig, "sqlstate", None), is_transient(waited.value)) == ("57014", True)
    await store(database, *rows)


@pytest.mark.parametrize("rows", [[thing(1)], [thing(1), thing(2)]])
async def test_a_lost_connection_is_worth_a_try(database: Database, postgres: Postgres, rows: list[Row]) -> None:
    with pytest.raises(DBAPIError) as lost:  # noqa: PT012  # the block is the transaction that is cut off
        async with database.transaction() as connection:
            backend = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            superuser = await asyncpg.connect(postgres.superuser_dsn())
            await superuser.execute("SELECT pg_terminate_backend($1, 5000)", backend)
            await superuser.close()
            await insert_rows(connection, THINGS, rows)
    assert is_transient(lost.value)
    await store(database, *rows)


async def test_a_value_of_another_kind_fails_the_transaction_and_spares_the_connection(database: Database) -> None:
    async with database.engine.connect() as connection:
        with pytest.raises((TypeError, ValueError)):
            await insert_rows(connection, THINGS, [thing(1), thing("two")])  # type: ignore[arg-type]
        await connection.rollback()
        await insert_rows(connection, THINGS, [thing(3)])
        await connection.commit()
    assert [row["number"] for row in await stored(database)] == ["3"]


@pytest.mark.parametrize("second", [thing(2), thing(2, text="b", amount=1), thing(2, amount=1)])
async def test_rows_with_other_columns_than_the_first_are_refused(database: Database, second: Row) -> None:
    with pytest.raises((ValueError, KeyError)):
        await store(database, thing(1, text="a"), second)
    with pytest.raises((ValueError, KeyError)):
        await update(database, thing(1, text="a"), second)


# --- updates ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 200])
async def test_an_update_stores_what_an_insert_would_have(database: Database, count: int) -> None:
    rows = [anything(Random(number), number) for number in range(count)]
    await store(database, *rows)
    expected = await stored(database)
    async with database.transaction() as connection:
        await connection.execute(text("DELETE FROM things"))
    await store(database, *[anything(Random(number + count), number) for number in range(count)])
    assert await stored(database) != expected
    await update(database, *Random(1).sample(rows, count))
    assert await stored(database) == expected


async def test_an_update_leaves_other_columns_and_rows_alone(database: Database) -> None:
    await store(database, *[thing(number, text="old", amount=number) for number in range(1, 4)])
    await update(database, thing(2, text="new"))
    found = [(row["text"], row["amount"]) for row in await stored(database)]
    assert found == [("old", "1"), ("new", "2"), ("old", "3")]


async def test_an_update_of_a_row_that_is_not_there_fails(database: Database) -> None:
    await store(database, thing(1))
    with pytest.raises(LookupError, match="of 2 rows of things that were to be updated, 1 were found"):
        await update(database, thing(1, amount=7), thing(2, amount=7))
    assert (await stored(database))[0]["amount"] is None


async def test_an_update_of_the_same_row_twice_fails(database: Database) -> None:
    await store(database, thing(1))
    with pytest.raises(LookupError):
        await update(database, thing(1, amount=7), thing(1, amount=8))


async def test_a_statement_is_prepared_once_however_many_rows_it_gets(database: Database) -> None:
    """Each new number of rows would be another text, parsed and planned again, and one more in the server's memory."""
    rows = [thing(number, text="a") for number in range(64)]
    await store(database, *rows)
    async with database.transaction() as connection:
        for power in range(int(math.log2(len(rows))) + 1):
            await update_rows(connection, THINGS, rows[: 2**power])
        query = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'UPDATE things%'"
        assert (await connection.execute(text(query))).scalar_one() == 1


async def test_an_update_looks_rows_up_though_it_was_planned_for_an_empty_table(
    database: Database, postgres: Postgres
) -> None:
    """Of a table that was never analysed: what happens when it was, ``kit.plans`` sees to."""
    owner = await asyncpg.connect(postgres.owner_dsn(SERVICE))
    await owner.execute("TRUNCATE things")  # and what is known of it
    await owner.close()
    async with database.transaction() as connection:
        await connection.execute(text("SET LOCAL plan_cache_mode = force_generic_plan"))
        await insert_rows(connection, THINGS, [thing(number) for number in range(100)])
        await update_rows(connection, THINGS, [thing(number, amount=1) for number in range(100)])
        query = "SELECT seq_scan, idx_scan FROM pg_stat_xact_user_tables WHERE relname = 'things'"
        assert (await connection.execute(text(query))).one() == (0, 100)


# --- documents that are left as they stand --------------------------------------------------------------------


@pytest.fixture
def long_document() -> dict[str, Any]:
    """One that is stored out of its row, in pieces whose number tells whether it was stored anew."""
    return {"text": Random(1).randbytes(6_000).hex()}


async def piece(database: Database, number: int) -> int | None:
    async with database.reading() as connection:
        query = text("SELECT pg_column_toast_chunk_id(json) FROM things WHERE number = :number")
        found = (await connection.execute(query, {"number": number})).scalar_one()
        return None if found is None else int(found)


async def test_a_document_that_was_not_replaced_is_not_stored_again(
    database: Database, long_document: dict[str, Any]
) -> None:
    await store(database, thing(1, json=long_document, amount=1), thing(2, json=long_document, amount=1))
    pieces = [await piece(database, 1), await piece(database, 2)]
    before = [thing(1, json=long_document, amount=1), thing(2, json=long_document, amount=1)]
    after = [before[0] | {"amount": 7}, before[1] | {"amount": 8, "json": {**long_document, "more": 1}}]
    async with database.transaction() as connection:
        await update_rows(connection, THINGS, after, before)

    assert None not in pieces
    assert await piece(database, 1) == pieces[0]
    assert await piece(database, 2) != pieces[1]
    rows = await stored(database)
    assert [row["amount"] for row in rows] == ["7", "8"]
    assert ["more" in str(row["json"]) for row in rows] == [False, True]
    assert long_document["text"] in str(rows[0]["json"])


async def test_documents_become_and_stop_being_nothing(database: Database) -> None:
    tree = {"a": [1]}
    before = [thing(number, json=tree, json_or_null=value) for number, value in enumerate([tree, tree, None, None])]
    await store(database, *before)
    after = [row | {"json_or_null": value} for row, value in zip(before, [tree, None, tree, None], strict=True)]
    async with database.transaction() as connection:
        await update_rows(connection, THINGS, after, before)

    rows = await stored(database)
    assert [row["json_or_null"] is None for row in rows] == [False, True, False, True]
    assert all(row["json"] == '{"a": [1]}' for row in rows)


async def test_rows_that_all_changed_are_stored_as_without_what_they_were(database: Database) -> None:
    random = Random(5)
    names = list(anything(random, 0) | thing(0))
    before = [{name: anything(random, number).get(name) for name in names} | thing(number) for number in range(40)]
    after = [{name: anything(random, number).get(name) for name in names} | thing(number) for number in range(40)]
    await store(database, *before)
    async with database.transaction() as connection:
        await update_rows(connection, THINGS, after, before)
    told = await stored(database)
    await update(database, *after)
    assert told == await stored(database)
