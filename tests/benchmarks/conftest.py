"""Both ledgers of the benchmark, ours and the peer's, each on a small programme in a database of its own."""

from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import asyncpg
import msgspec
import pytest

from benchmarks.ledger import databases, scene
from benchmarks.ledger.ours import Ours
from benchmarks.ledger.side import Side
from benchmarks.ledger.theirs import Theirs
from contracts.money import Money
from stack.postgres import Postgres

POOL_FEN = 1_000_000
CAP_FEN = 100_000
ENVELOPE_FEN = 800_000
HOT, WARM = scene.POOLS[:2]

_numbers = count()


@pytest.fixture(params=["ours", "row_lock"])
async def ledger(request: pytest.FixtureRequest, postgres: Postgres) -> AsyncIterator[Side]:
    """A ledger with two pools of 10,000 yuan: a cap of 1,000 and, on the first pool only, an envelope of 8,000."""
    policies = [
        msgspec.structs.replace(
            policy, cap=Money(CAP_FEN), envelope=Money(ENVELOPE_FEN) if policy.pool == HOT else None
        )
        for policy in scene.policies()
        if policy.pool in (HOT, WARM)
    ]
    name = f"bench_test_{next(_numbers)}"
    dsn = postgres.superuser_dsn(name)
    side: Any
    if request.param == "ours":
        await databases.create_ours(postgres, name, policies, Money(POOL_FEN))
        side = await Ours.open(dsn)
    else:
        await databases.create_theirs(postgres, name, policies, Money(POOL_FEN))
        side = await Theirs.open(dsn, policies)
    yield side
    await side.close()
    superuser = await asyncpg.connect(postgres.superuser_dsn())
    await superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await superuser.close()
