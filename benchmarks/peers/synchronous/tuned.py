"""By hand: two statements and the commit, prepared by asyncpg. Everything that can be done before the lock is."""

from datetime import UTC, datetime
from typing import Any, Final, Self

import asyncpg
import msgspec

from benchmarks.peers.synchronous import acceptance
from benchmarks.peers.synchronous.acceptance import Accepted, Sent
from contracts.policy import Policy
from contracts.refusal import Refusal
from intake.records import Application
from kit.database import to_json
from kit.idempotency import Answer, reused

CONNECTIONS: Final = 16

_FIND_OR_COUNT: Final = """
WITH known AS (SELECT request_hash, status, headers, body FROM idempotency WHERE client = $1 AND key = $2),
counted AS (
  UPDATE counters SET last = last + 1 WHERE scheme = $3 AND year = $4 AND NOT EXISTS (SELECT FROM known) RETURNING last
)
SELECT known.*, counted.last FROM (SELECT) AS one LEFT JOIN known ON true LEFT JOIN counted ON true
"""
_FIND_OR_DRAW: Final = """
SELECT known.*, CASE WHEN known.status IS NULL THEN nextval('application_number_seq') END AS last
FROM (SELECT) AS one
LEFT JOIN (SELECT request_hash, status, headers, body FROM idempotency WHERE client = $1 AND key = $2) AS known ON true
"""
_NAMES: Final = Application.__struct_fields__
_JSON: Final = frozenset({"body", "progress", "recoveries", "decision", "award"})
_VALUES: Final = ", ".join(f"${number}" for number in range(1, len(_NAMES) + 1))
_AFTER: Final = len(_NAMES)
_WRITE: Final = f"""
WITH application AS (INSERT INTO applications ({", ".join(_NAMES)}) VALUES ({_VALUES})),
line AS (
  INSERT INTO timeline (application_id, position, at, type, data)
  VALUES ($1, 1, ${_AFTER + 1}, 'application.submitted', '{{}}')
),
told AS (
  INSERT INTO outbox (id, event_id, topic, key, type, subject, time, traceparent, data)
  VALUES (nextval('outbox_id_seq'), ${_AFTER + 2}, ${_AFTER + 3}, ${_AFTER + 4}, ${_AFTER + 5}, ${_AFTER + 6},
    ${_AFTER + 1}, ${_AFTER + 7}, ${_AFTER + 8})
)
INSERT INTO idempotency (client, key, request_hash, status, headers, body)
VALUES (${_AFTER + 9}, ${_AFTER + 10}, ${_AFTER + 11}, ${_AFTER + 12}, ${_AFTER + 13}, ${_AFTER + 14})
"""


class Tuned:
    """The store; with ``locked`` numbers count without a gap, else they come from a sequence."""

    def __init__(self, pool: "asyncpg.Pool[Any]", policies: dict[str, Policy], *, locked: bool) -> None:
        self._pool = pool
        self._policies = policies
        self._locked = locked

    @classmethod
    async def open(cls, url: str, policies: dict[str, Policy], *, locked: bool = True) -> Self:
        pool = await asyncpg.create_pool(url, min_size=CONNECTIONS, max_size=CONNECTIONS)
        return cls(pool, policies, locked=locked)

    async def accept(self, sent: Sent) -> Answer:
        """Return the answer, once it is on disk. A request that lost a race for its key finds the answer then."""
        now = datetime.now(UTC)
        try:
            policy = acceptance.check(self._policies, sent, now)
        except Refusal:
            return await self._known(sent)
        try:
            return await self._accept(sent, policy, now)
        except asyncpg.UniqueViolationError:
            return await self._accept(sent, policy, now)

    async def _accept(self, sent: Sent, policy: Policy, now: datetime) -> Answer:
        key = sent.key
        async with self._pool.acquire() as connection, connection.transaction():
            if self._locked:
                year = acceptance.year_of(policy, now)
                found = await connection.fetchrow(_FIND_OR_COUNT, key.client, key.key, sent.scheme, year)
            else:
                found = await connection.fetchrow(_FIND_OR_DRAW, key.client, key.key)
            assert found is not None
            if found["status"] is not None:
                return _given(sent, found)
            accepted = acceptance.accept(policy, sent, found["last"], now)
            await connection.execute(_WRITE, *_values(sent, accepted, now))
        return accepted.answer

    async def _known(self, sent: Sent) -> Answer:
        """Return what was answered under the key; for a request that would be refused today, unless it was not."""
        query = "SELECT request_hash, status, headers, body FROM idempotency WHERE client = $1 AND key = $2"
        found = await self._pool.fetchrow(query, sent.key.client, sent.key.key)
        if found is None:
            acceptance.check(self._policies, sent, datetime.now(UTC))
            raise AssertionError("it was refused a moment ago")
        return _given(sent, found)

    async def close(self) -> None:
        await self._pool.close()


def _given(sent: Sent, found: "asyncpg.Record") -> Answer:
    if found["request_hash"] != sent.key.request_hash:
        raise reused(sent.key)
    return Answer(found["status"], found["body"], msgspec.json.decode(found["headers"]))


def _values(sent: Sent, accepted: Accepted, now: datetime) -> list[Any]:
    application, answer, key = accepted.application, accepted.answer, sent.key
    row = [
        to_json(value) if name in _JSON and value is not None else value
        for name, value in zip(_NAMES, msgspec.structs.astuple(application), strict=True)
    ]
    told = (accepted.event_id, acceptance.TOPIC, application.applicant, acceptance.TYPE)
    event = (now, *told, str(application.application_id), sent.traceparent, accepted.event)
    return [
        *row,
        *event,
        key.client,
        key.key,
        key.request_hash,
        answer.status,
        to_json(answer.headers),
        answer.body,
    ]
