"""Idempotency keys: the same key and body give the same answer, another body under the key is refused.

The answer is stored in the transaction of its effect. Two transactions that race for one key collide on the
primary key; the later one rolls back whole, is tried again, and then finds the answer. Where the database has a
keyring, answers are kept sealed: they show whoever sent something what it sent.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.refusal import Refusal
from kit.database import to_json
from kit.driver import fetch
from kit.rows import Writes
from kit.sealing import Keyring, is_sealed, keyring_if_any
from kit.tables import new_metadata

_FIND: Final = """
SELECT i.client, i.key, i.request_hash, i.status, i.headers, i.body FROM idempotency AS i
JOIN unnest($1::text[], $2::text[]) AS k(client, key) ON i.client = k.client AND i.key = k.key
"""
_NOW_AND_FIND: Final = f"SELECT now(), ARRAY(SELECT ROW(found.*) FROM ({_FIND}) AS found)"  # noqa: S608  # a constant
_TABLE: Final = new_metadata().tables["idempotency"]
_COLUMNS: Final = ("client", "key", "request_hash", "status", "headers", "body")
_FORGET: Final = text("DELETE FROM idempotency WHERE created_at < now() - make_interval(days => :days)")
KEPT_DAYS: Final = 8  # the contract promises 7


class Key(msgspec.Struct, frozen=True):
    """Who asked, under which key, for what (the SHA-256 of method, path and body)."""

    client: str
    key: str
    request_hash: bytes


class Answer(msgspec.Struct, frozen=True):
    """What was answered, to the byte."""

    status: int
    body: bytes
    headers: dict[str, str] = {}


def answer(status: int, content: Any) -> Answer:
    """Return an answer whose body is this content as JSON."""
    return Answer(status, msgspec.json.encode(content))


def request_hash(method: str, path: str, body: bytes) -> bytes:
    """Return the hash that tells two requests under one key apart."""
    return hashlib.sha256(b"\n".join((method.encode(), path.encode(), body))).digest()


def reused(key: Key) -> Refusal:
    """Return the refusal for a key that came with another request before."""
    return Refusal(
        "idempotency_key_reused",
        f"幂等键 {key.key!r} 已用于另一请求。新的请求请使用新的 Idempotency-Key。",
        f"The Idempotency-Key {key.key!r} was used with another request. Use a new key for a new request.",
        status=422,
    )


async def begin(connection: AsyncConnection, keys: Sequence[Key]) -> tuple[datetime, dict[Key, Answer | Refusal]]:
    """Return the transaction's time with what ``find`` returns."""
    [[now, rows]] = await fetch(connection, _NOW_AND_FIND, *_columns(keys))
    return now, _found(connection, keys, rows)


async def find(connection: AsyncConnection, keys: Sequence[Key]) -> dict[Key, Answer | Refusal]:
    """Return the answers already given under these keys; a Refusal where the request differs."""
    return _found(connection, keys, await fetch(connection, _FIND, *_columns(keys))) if keys else {}


def _columns(keys: Sequence[Key]) -> tuple[list[str], list[str]]:
    return [key.client for key in keys], [key.key for key in keys]


def _found(connection: AsyncConnection, keys: Sequence[Key], rows: Sequence[Any]) -> dict[Key, Answer | Refusal]:
    given = {(client, key): rest for client, key, *rest in rows}
    keyring = keyring_if_any(connection)
    found: dict[Key, Answer | Refusal] = {}
    for key in keys:
        if (answered := given.get((key.client, key.key))) is not None:
            asked, *answer = answered
            found[key] = _given(keyring, key, *answer) if asked == key.request_hash else reused(key)
    return found


def _given(keyring: Keyring | None, key: Key, status: int, headers: str, body: bytes) -> Answer:
    if keyring is not None and is_sealed(body):
        body = keyring.open(body.decode(), _about(key))
    return Answer(status, body, msgspec.json.decode(headers))


def _kept(keyring: Keyring | None, key: Key, answer: Answer) -> bytes:
    return answer.body if keyring is None or not keyring.seals else keyring.seal(answer.body, _about(key)).encode()


def _about(key: Key) -> str:
    return f"answer:{key.client}:{key.key}"


def keep(writes: Writes, answers: Sequence[tuple[Key, Answer]]) -> None:
    """Have the answers kept. An IntegrityError then says that another transaction answered one of the keys first."""
    if not answers:
        return
    keyring = keyring_if_any(writes.connection)
    rows = sorted(  # in one order, so that two groups with the same keys do not wait for each other
        (key.client, key.key, key.request_hash, answer.status, to_json(answer.headers), _kept(keyring, key, answer))
        for key, answer in answers
    )
    writes.insert_columns(_TABLE, _COLUMNS, list(zip(*rows, strict=True)))


async def forget_old(connection: AsyncConnection) -> int:
    """Drop the keys that are older than promised; return how many."""
    return int((await connection.execute(_FORGET, {"days": KEPT_DAYS})).rowcount)
