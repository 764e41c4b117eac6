"""Random lives, in batches of random size, against the model: equal to the fen after every batch.

``make soak`` takes 100,000 steps from two writers at once; here are fewer.
"""

from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.money import Money
from disbursement import tables
from disbursement.handlers import handle
from kit.database import Database
from kit.messages import Message
from tests.disbursement.model import Model
from tests.disbursement.scenes import NOW, Scene, approved, message, opened_pool, policy, publish
from tests.disbursement.soak import prepared, soak
from tests.disbursement.walk import COMPANIES, EVENTS, ORDERS, Step, Walk

POOL_FEN, ENVELOPE_FEN, CAP_FEN = 2_500, 2_000, 900

# Small sums near every limit: 8 companies want up to 700 fen each time, of an envelope of 2,000.
EVENT_STEPS = st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 99), st.integers(1, 700)), max_size=12)
ORDER_STEPS = st.lists(st.tuples(st.sampled_from(ORDERS), st.integers(0, 99), st.integers(1, 700)), max_size=3)
BATCHES = st.lists(st.tuples(EVENT_STEPS, ORDER_STEPS, st.booleans()), min_size=1, max_size=8)


async def small_world(scene: Scene) -> Walk:
    """A pool of 2,500 fen and a scheme of 60 % with small limits."""
    await opened_pool(scene, POOL_FEN)
    await publish(scene, policy(version="small", cap=Money(CAP_FEN), envelope=Money(ENVELOPE_FEN)))
    return Walk(Model(POOL_FEN, ENVELOPE_FEN, CAP_FEN, 60))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(batches=BATCHES)
async def test_books_equal_the_model_after_every_batch(
    database: Database, batches: list[tuple[list[Step], list[Step], bool]]
) -> None:
    async with database.engine.connect() as connection:
        transaction = await connection.begin()
        scene = Scene(connection)
        walk = await small_world(scene)
        for events, orders, expire in batches:
            await walk.tell(scene, events)
            await walk.compare(scene)
            await walk.order(scene, orders)
            if expire:
                await walk.expire(scene, len(events))
            await walk.compare(scene)
        await transaction.rollback()


# --- a batch is its events one by one ---------------------------------------------------------------------------


def crowd(amounts: list[tuple[int, int, int]]) -> list[Message]:
    """Return approvals near every limit, as they would come from Kafka."""
    return [
        message(approved(amount, applicant=COMPANIES[pick % 8], minute=minute, policy_version="small"))
        for pick, amount, minute in amounts
    ]


async def handled(scene: Scene, batches: list[list[Message]]) -> list[Any]:
    """Handle the batches; return all that counts, without the ids that chance gives."""
    await opened_pool(scene, POOL_FEN)
    await publish(scene, policy(version="small", cap=Money(CAP_FEN), envelope=Money(ENVELOPE_FEN), waitlist="partial"))
    for batch in batches:
        await (await handle(scene.connection, batch, NOW)).make_writes()
    pool = await scene.pool()
    transfers = [msgspec.json.decode(row.document) for row in await scene.rows(tables.transfers)]
    return [
        (pool.available, pool.committed, pool.version),
        sorted((str(row.application_id), row.awarded, row.limited_by) for row in await scene.rows(tables.awards)),
        sorted((str(row.application_id), row.state) for row in await scene.rows(tables.applications)),
        sorted((row.holder, row.granted) for row in await scene.rows(tables.caps) if row.granted),
        [(each["version"], each["application_id"], each["money"]["amount"], each["balances"]) for each in transfers],
    ]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(amounts=st.lists(st.tuples(st.integers(0, 7), st.integers(1, 900), st.integers(0, 40)), min_size=1, max_size=25))
async def test_a_batch_gives_what_its_events_give_one_by_one(
    database: Database, amounts: list[tuple[int, int, int]]
) -> None:
    messages = crowd(amounts)
    found = []
    for batches in ([messages], [[each] for each in messages]):
        async with database.engine.connect() as connection:
            transaction = await connection.begin()
            found.append(await handled(Scene(connection), batches))
            await transaction.rollback()

    assert found[0] == found[1]


# --- two writers at once ------------------------------------------------------------------------------------------


async def test_two_writers_at_once_keep_the_models_books(emptied: Database) -> None:
    walk = await prepared(emptied)

    await soak(emptied, walk, steps=4_000, seed=1)

    assert walk.steps >= 4_000
