"""Three times the pool is asked for, by two writers, while awards end and payments come back: the last fen is spent."""

import asyncio
import random
from typing import Any

import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.events import AwardIssued, PaymentInstructed
from disbursement import tables
from disbursement.orders import CancelPayment, RevokeAward
from kit.database import Database
from tests.disbursement.scenes import (
    POOL_FEN,
    Scene,
    approved,
    opened_pool,
    policy,
    publish,
    returned,
    settled,
    verified,
)

APPLICATIONS = 600
SHARE = 3 * POOL_FEN // APPLICATIONS


@pytest.fixture
async def season(emptied: Database) -> Database:
    """A pool without an envelope or a cap, whose awards may be a part of what was approved."""
    async with emptied.transaction() as connection:
        scene = Scene(connection)
        await opened_pool(scene)
        await publish(scene, policy(version="open", envelope=None, cap=None, waitlist="partial"))
    return emptied


async def write(database: Database, mine: list[Any], chance: random.Random) -> None:
    """One writer: approvals in batches, and in between what frees money: claims sent back and given up, revocations."""
    while mine:
        batch, mine[:] = mine[:17], mine[17:]
        async with database.transaction() as connection:
            scene = Scene(connection)
            said = await scene.tell(*batch)
            awards = [event for event in said if isinstance(event, AwardIssued)]
            await pay(scene, awards, chance)
            for award in awards:
                if chance.random() < 0.2:
                    await scene.order(RevokeAward(award_id=award.award_id))
        await asyncio.sleep(0)


async def pay(scene: Scene, awards: list[AwardIssued], chance: random.Random) -> None:
    said = await scene.tell(*[verified(award, chance.randint(1, award.awarded.amount)) for award in awards])
    for payment in (event for event in said if isinstance(event, PaymentInstructed)):
        if chance.random() < 0.3:
            await scene.tell(returned(payment))
            await scene.order(CancelPayment(payment_id=payment.payment_id))
        else:
            await scene.tell(settled(payment))


async def test_the_last_fen_is_spent_and_never_one_more(season: Database) -> None:
    chance = random.Random("demand")
    asked = [
        approved(chance.randint(1, 2 * SHARE), applicant=f"91440300000000{n:04d}", minute=n, policy_version="open")
        for n in range(APPLICATIONS)
    ]
    assert sum(approval.approved.amount for approval in asked) > 2.5 * POOL_FEN

    await asyncio.gather(write(season, asked[::2], random.Random(1)), write(season, asked[1::2], random.Random(2)))

    async with season.reading() as connection:
        await check(connection)


async def check(connection: AsyncConnection) -> None:
    scene = Scene(connection)
    pool = await scene.pool()
    waiting = [row for row in await scene.rows(tables.applications) if row.state == "waitlisted"]
    assert waiting
    assert pool.available == 0
    documents = [msgspec.json.decode(row.document) for row in await scene.rows(tables.transfers)]
    assert min(min(each["balances"].values()) for each in documents) == 0
    assert all(sum(each["balances"].values()) == POOL_FEN for each in documents)
    awards = await scene.rows(tables.awards)
    assert sum(row.committed for row in awards) == pool.committed
    assert sum(row.disbursed for row in awards) == pool.disbursed
    assert {row.application_id for row in awards}.isdisjoint(row.application_id for row in waiting)
