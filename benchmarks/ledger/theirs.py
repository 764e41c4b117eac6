"""The peer's side: the same events, handed to the row-lock ledger by 16 connections of one process."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Self
from uuid import UUID

import asyncpg

from benchmarks.ledger.side import Side
from benchmarks.ledger.traffic import Told
from benchmarks.peers.row_lock import RowLock
from contracts.codec import decode
from contracts.policy import Policy

CONNECTIONS: Final = 16


class Theirs(Side):
    """One process with as many workers as connections; each takes the next event and commits it."""

    workers = CONNECTIONS
    most = 1  # more would ask for more connections than there are, as soon as events have to wait

    def __init__(self, ledger: RowLock, connections: list[asyncpg.Connection]) -> None:
        super().__init__(0)
        self._ledger = ledger
        self._free = connections

    @classmethod
    async def open(cls, dsn: str, policies: Sequence[Policy]) -> Self:
        return cls(RowLock(policies), [await asyncpg.connect(dsn) for _ in range(CONNECTIONS)])

    async def handle(self, told: Sequence[Told], _batch_size: int = 1) -> None:
        """Handle events one by one, as many at a time as there are connections."""
        waiting = iter(told)

        async def work() -> None:
            connection = self._free.pop()
            try:
                for one in waiting:
                    headers = dict(one.headers)
                    event = decode(headers["ce_type"].decode(), one.value)
                    await self._ledger.apply(connection, UUID(headers["ce_id"].decode()), event)
            finally:
                self._free.append(connection)

        await asyncio.gather(*(work() for _ in range(min(CONNECTIONS, len(told)))))

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        return [dict(row) for row in await self._free[0].fetch(query, *args)]

    async def close(self) -> None:
        for connection in self._free:
            await connection.close()
