"""Seals what is stored in clear, or under an older key, while the service runs: a few rows at a time, none waited for.

What has to be sealed is found by the key that it is sealed under, which an index has (``Column.key_id``). A row that
somebody works on is passed over; it comes again at the next look, as does what a process of before wrote in clear.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from kit.backoff import wait
from kit.database import Database, describe
from kit.logging import get_logger
from kit.sealing import Keyring, SealedError

log = get_logger(__name__)

LOOK_EVERY_SECONDS: Final = 30.0
_REFRESH_EVERY_SECONDS: Final = 2.0
_BATCH: Final = 100
_MOST_ASIDE: Final = 1_000
_MOST_COUNTED: Final = 10_000

Row = Mapping[str, Any]


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A sealed value of a table: how its rows are found, and how one is sealed anew.

    ``key_id`` is the SQL of the key's id, as its index has it; NULL where the value is in clear. ``reads`` are the
    columns that ``reseal`` is given; it returns what is to be stored, by column. ``json`` are those that hold JSON.
    """

    table: str
    primary_key: str
    key_id: str
    reads: tuple[str, ...]
    reseal: Callable[[Keyring, Row], dict[str, Any]]
    where: str = "true"
    json: frozenset[str] = frozenset()


class KeyUse(msgspec.Struct, frozen=True):
    """How many rows of a table are sealed under a key, 10,000 at most; ``key_id`` None: in clear."""

    table: str
    key_id: str | None
    rows: int


class Resealer:
    """Seals what is not sealed under the first key; without columns it only keeps the keyring fresh."""

    def __init__(self, database: Database, columns: Sequence[Column]) -> None:
        assert database.keyring is not None, "it has something to seal"
        self._database = database
        self._keyring = database.keyring
        self._columns = columns
        self._aside: dict[str, set[Any]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Look until ``stop``, at once when the keyring was changed."""
        looked_at = float("-inf")
        while not stop.is_set():
            now = asyncio.get_running_loop().time()
            if self._keyring.refresh() or now - looked_at > LOOK_EVERY_SECONDS:
                looked_at = now
                try:
                    await self.look(stop)
                except (SQLAlchemyError, OSError, TimeoutError) as error:
                    log.warning("resealing_waits", reason=describe(error))
            await wait(stop, _REFRESH_EVERY_SECONDS)

    async def look(self, stop: asyncio.Event | None = None) -> int:
        """Seal all that is found; return how many rows that were."""
        if not self._keyring.seals:
            return 0
        total = 0
        for column in self._columns:
            while not (stop and stop.is_set()):
                found = await self._seal_some(column)
                total += found
                if found < _BATCH:
                    break
        if total:
            log.info("resealed", rows=total, key_id=self._keyring.current)
        return total

    async def _seal_some(self, column: Column) -> int:
        async with self._database.transaction() as connection:
            rows = (await connection.execute(text(_found(column)), self._values(column))).mappings().all()
            sealed = [each for row in rows if (each := self._sealed(column, dict(row))) is not None]
            if sealed:
                await connection.execute(text(_stored(column, sealed[0])), sealed)
        return len(rows)

    def _values(self, column: Column) -> dict[str, Any]:
        aside = self._aside.get(column.table, set())
        return {"current": self._keyring.current, "aside": [str(each) for each in aside], "limit": _BATCH}

    def _sealed(self, column: Column, row: Row) -> dict[str, Any] | None:
        """Return the row's new values; one that can't be opened is reported once and left as it is."""
        row = {name: _decoded(value) if name in column.json else value for name, value in row.items()}
        key = row[column.primary_key]
        try:
            values = column.reseal(self._keyring, row)
        except SealedError as error:
            aside = self._aside.setdefault(column.table, set())
            if len(aside) < _MOST_ASIDE:
                aside.add(key)
            log.error("not_resealed", table=column.table, row=str(key), reason=str(error))  # noqa: TRY400
            return None
        written = {
            name: msgspec.json.encode(value).decode() if name in column.json else value
            for name, value in values.items()
        }
        return {"key": key, **written}


def _decoded(value: Any) -> Any:
    return msgspec.json.decode(value) if isinstance(value, str) else value


def _found(column: Column) -> str:
    reads = ", ".join((column.primary_key, *column.reads))
    return f"""
    SELECT {reads} FROM {column.table}
    WHERE {column.where} AND ({column.key_id} IS NULL OR {column.key_id} < :current OR {column.key_id} > :current)
      AND {column.key_id} IS DISTINCT FROM 'erased' AND NOT CAST({column.primary_key} AS text) = ANY(:aside)
    LIMIT :limit FOR UPDATE SKIP LOCKED
    """  # noqa: S608  # all of it is written by us


def _stored(column: Column, values: Mapping[str, Any]) -> str:
    changes = ", ".join(
        f"{name} = CAST(:{name} AS jsonb)" if name in column.json else f"{name} = :{name}"
        for name in values
        if name != "key"
    )
    return f"UPDATE {column.table} SET {changes} WHERE {column.primary_key} = :key"  # noqa: S608


# --- which keys are in use --------------------------------------------------------------------------------------------

_PASSING: Final = {
    "outbox": "substring(data FOR {length}) = CAST(:prefix AS bytea)",
    "idempotency": "substring(body FOR {length}) = CAST(:prefix AS bytea)",
}
"""What nobody seals anew, because it is gone within days."""


async def uses(connection: AsyncConnection, keyring: Keyring, columns: Sequence[Column]) -> list[KeyUse]:
    """Return where each key is used, and where something stands in clear."""
    found = []
    for column in columns:
        for key_id in (None, *keyring.key_ids):
            is_key = f"{column.key_id} IS NULL" if key_id is None else f"{column.key_id} = :key_id"
            values = {} if key_id is None else {"key_id": key_id}
            found.append(await _use(connection, column.table, key_id, f"{column.where} AND {is_key}", values))
    for table, condition in _PASSING.items():
        for key_id in keyring.key_ids:
            prefix = f"v1.{key_id}.".encode()
            said = condition.format(length=len(prefix))
            found.append(await _use(connection, table, key_id, said, {"prefix": prefix}))
    return [use for use in found if use.rows]


async def _use(
    connection: AsyncConnection, table: str, key_id: str | None, condition: str, values: dict[str, Any]
) -> KeyUse:
    query = f"SELECT count(*) FROM (SELECT FROM {table} WHERE {condition} LIMIT {_MOST_COUNTED}) AS found"  # noqa: S608
    return KeyUse(table, key_id, int((await connection.execute(text(query), values)).scalar_one()))
