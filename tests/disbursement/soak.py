"""A long walk: random steps from two writers at once against the model, committed, on the real database.

    python -m tests.disbursement.soak --steps 100000 --seed 1

Each writer has a connection and takes batches of its own; the pool's lock puts them in one order.
"""

import argparse
import asyncio
import random
import tempfile
import time
from pathlib import Path
from typing import Final

from sqlalchemy import select

from contracts.money import Money
from disbursement import tables
from kit import migrations
from kit.database import Database
from kit.sealing import Keyring
from stack import postgres as postgres_cluster
from stack.home import open_home
from stack.ports import free_ports
from tests.disbursement.model import Model
from tests.disbursement.scenes import POOL, Scene, opened_pool, policy, publish
from tests.disbursement.walk import EVENTS, ORDERS, Step, Walk

POOL_FEN, ENVELOPE_FEN, CAP_FEN = 40_000, 36_000, 9_000
COMPARE_EVERY: Final = 40


async def prepared(database: Database) -> Walk:
    """Open the pool of the walk."""
    async with database.transaction() as connection:
        scene = Scene(connection)
        await opened_pool(scene, POOL_FEN)
        await publish(scene, policy(version="small", cap=Money(CAP_FEN), envelope=Money(ENVELOPE_FEN)))
    return Walk(Model(POOL_FEN, ENVELOPE_FEN, CAP_FEN, 60))


async def soak(database: Database, walk: Walk, steps: int, seed: int, writers: int = 2) -> int:
    """Walk until so many steps were taken; return in how many batches. Raises AssertionError at a difference."""
    chances = [random.Random(f"{seed} {number}") for number in range(writers)]
    batches = await asyncio.gather(*(_write(database, walk, steps, chance) for chance in chances))
    async with database.transaction() as connection:
        await walk.compare(Scene(connection))
    return sum(batches)


async def _write(database: Database, walk: Walk, steps: int, chance: random.Random) -> int:
    batches = 0
    while walk.steps < steps:
        async with database.transaction() as connection:
            scene = Scene(connection)
            await connection.execute(select(tables.pools).where(tables.pools.c.pool == POOL).with_for_update())
            await _batch(walk, scene, chance)
            await (walk.compare if batches % COMPARE_EVERY == 0 else walk.compare_pool)(scene)
        batches += 1
    return batches


async def _batch(walk: Walk, scene: Scene, chance: random.Random) -> None:
    draw = chance.random()
    if draw < 0.8:
        await walk.tell(scene, _steps(chance, EVENTS, chance.randint(1, 120)))
    elif draw < 0.95:
        await walk.order(scene, _steps(chance, ORDERS, chance.randint(1, 6)))
    else:
        await walk.expire(scene, chance.randrange(1_000))


def _steps(chance: random.Random, kinds: tuple[str, ...], count: int) -> list[Step]:
    return [(chance.choice(kinds), chance.randrange(10_000), chance.randint(1, 700)) for _ in range(count)]


async def main(steps: int, seed: int) -> None:
    """Start a PostgreSQL of its own, walk, say how far it came."""
    with tempfile.TemporaryDirectory(prefix="drawdown-soak-") as folder:
        [port] = free_ports(1)
        async with postgres_cluster.running(open_home(Path(folder)), port) as postgres:
            await migrations.upgrade("disbursement", postgres.owner_dsn("disbursement"))
            database = Database(postgres.dsn("disbursement"), pool_size=4, keyring=Keyring.fresh())
            began = time.monotonic()
            walk = await prepared(database)
            batches = await soak(database, walk, steps, seed)
            print(
                f"seed {seed}: {walk.steps} steps in {batches} batches, {time.monotonic() - began:.0f} s, no difference"
            )
            await database.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    asyncio.run(main(asked.steps, asked.seed))
