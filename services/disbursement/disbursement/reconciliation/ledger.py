"""Reads on in the pools' transfers: what is new since the last time, and a stretch of what was read before.

So the cost of a look is that of the new transfers and of one stretch, however long the ledger is, and all of it is
read again in the course of time.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from disbursement.reconciliation import queries, rules
from disbursement.reconciliation.chain import Chain, Reached
from disbursement.reconciliation.rules import Difference
from disbursement.records import Pool
from kit.turns import in_turns

PAGE: Final = 100
STRETCH: Final = 5_000
_EVERYTHING: Final = 10**12

NEW, AGAIN = "new", "again"
Checkpoints = dict[tuple[str, str], Reached]
"""By pool and reader."""


class Read(msgspec.Struct):
    """What was found, and how far the readers came without a flaw."""

    differences: list[Difference] = []
    checkpoints: Checkpoints = {}


async def read_on(
    connection: AsyncConnection, pools: list[Pool], go_on: Callable[[], None], *, from_the_start: bool
) -> Read:
    """Read each pool's ledger from its checkpoints on, or, to rely on nothing, all of it.

    ``go_on`` is called before each page, and may raise.
    """
    read = Read()
    known = {} if from_the_start else await queries.checkpoints(connection)
    for pool in pools:
        await _read_new(connection, pool, known, read, go_on)
        if not from_the_start:
            await _read_again(connection, pool, known, read, go_on)
    return read


async def _read_new(
    connection: AsyncConnection,
    pool: Pool,
    known: Mapping[tuple[str, str], Reached],
    read: Read,
    go_on: Callable[[], None],
) -> None:
    chain = await _chain(connection, pool, known, NEW)
    await _follow(connection, chain, _EVERYTHING, go_on)
    chain.end(pool)
    read.differences += [*rules.of_pool(pool, chain.reached), *chain.flaws]
    read.checkpoints[pool.pool, NEW] = chain.clean


async def _read_again(
    connection: AsyncConnection,
    pool: Pool,
    known: Mapping[tuple[str, str], Reached],
    read: Read,
    go_on: Callable[[], None],
) -> None:
    """Read the next stretch; at the end of the ledger, compare with the pool's row and begin at its first transfer."""
    chain = await _chain(connection, pool, known, AGAIN)
    found = chain.flaws
    if at_end := await _follow(connection, chain, STRETCH, go_on):
        found = found + rules.of_pool(pool, chain.reached)
    told = {each.words for each in read.differences}  # what the other reader found as well
    read.differences += [each for each in found if each.words not in told]
    read.checkpoints[pool.pool, AGAIN] = Reached(pool=pool.pool) if at_end and not found else chain.clean


async def _chain(
    connection: AsyncConnection, pool: Pool, known: Mapping[tuple[str, str], Reached], reader: str
) -> Chain:
    begin = known.get((pool.pool, reader), Reached(pool=pool.pool))
    return Chain(begin, await queries.known_flaws(connection, pool.pool))


async def _follow(connection: AsyncConnection, chain: Chain, most: int, go_on: Callable[[], None]) -> bool:
    """Follow at most so many transfers, page by page; return whether the last one was reached."""
    version = max(1, chain.reached.version)
    for _ in range(most // PAGE):
        go_on()
        links = await queries.links(connection, chain.reached.pool, version, PAGE)
        async for few in in_turns(links):
            chain.follow(few)
        if len(links) < PAGE:
            return True
        version = links[-1].version + 1
    return False
