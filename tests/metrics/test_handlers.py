"""A batch on real PostgreSQL: what it stores is what its events say, however they are cut into batches."""

from collections.abc import Sequence

import pytest

from contracts.events import Event
from kit.database import Database
from metrics import snapshot
from metrics.handlers import Handlers
from metrics.snapshot import Snapshot
from tests.metrics.conftest import SHENZHEN
from tests.metrics.story import DISTRICT, POOL, SCHEME, START, Case, Ledger, messages, one_paid_case, policy


async def project(database: Database, handlers: Handlers, events: Sequence[Event], batch_size: int = 500) -> Snapshot:
    """Apply events in batches, as the consumer does, and read the projection."""
    received = list(messages(list(events)))
    for start in range(0, len(received), batch_size):
        async with database.transaction() as connection:
            said = await handlers.handle(connection, received[start : start + batch_size], START)
        assert said == []
    async with database.snapshot() as connection:
        return await snapshot.read(connection, SHENZHEN)


def three_cases() -> list[Event]:
    ledger = Ledger()
    opening = [policy(), ledger.open()]
    return opening + [event for number in (1, 2, 3) for event in one_paid_case(ledger, Case(number), minutes=number)]


async def test_a_life_is_projected(database: Database, handlers: Handlers) -> None:
    taken = await project(database, handlers, three_cases())
    [pool] = taken.pools
    assert (pool.appropriated, pool.available) == (450_000_000_000, 450_000_000_000 - 180_000_000)
    assert (pool.committed, pool.obligated, pool.disbursed) == (180_000_000 - 37_037_034, 0, 37_037_034)
    assert (pool.version, pool.imbalance, pool.breaks) == (10, 0, 0)
    assert taken.disbursed == {(POOL, SCHEME, DISTRICT): 37_037_034}
    assert taken.scheme_balances[(POOL, SCHEME, "committed")] == pool.committed
    assert taken.tallies[("status", SCHEME, "awarded")] == 3
    assert taken.tallies[("claim_to_payment", SCHEME, "60")] == 3


@pytest.mark.parametrize("batch_size", [1, 2, 7])
async def test_batches_of_any_size_give_the_same(database: Database, handlers: Handlers, batch_size: int) -> None:
    taken = await project(database, handlers, three_cases(), batch_size)
    assert taken.tallies[("status", SCHEME, "awarded")] == 3
    assert taken.tallies.get(("status", SCHEME, "submitted"), 0) == 0
    assert taken.pools[0].disbursed == 37_037_034
    assert taken.tallies[("payment_to_settlement", SCHEME, "sum_microseconds")] == 180_000_000
