"""What is compared does the same: the peer passes the checks that ours passes, for all that it covers."""

from typing import Any
from uuid import UUID

import msgspec
import pytest

from benchmarks.ledger import scene, traffic
from benchmarks.ledger.ours import KEYRING
from benchmarks.ledger.side import Side
from benchmarks.ledger.traffic import Told, tell
from contracts.codec import decode
from contracts.common import Account
from contracts.events import ApplicationApproved, ClaimVerified, Event, PaymentSettled
from contracts.money import Money
from kit import outbox
from kit.identifiers import uuid7
from tests.benchmarks.conftest import CAP_FEN, ENVELOPE_FEN, HOT, POOL_FEN, WARM


def changed(kind: type[Any], **values: Any) -> Any:
    """Return the contract's example of an event with other values."""
    return msgspec.structs.replace(traffic.example(kind), **values)


CREDITOR = Account("A", "6222000011112222", "B")


def approval(amount: int, company: int = 1, pool: str = HOT, **values: Any) -> ApplicationApproved:
    holder = f"9144{company:014d}"
    known: dict[str, Any] = {"scheme": scene.scheme_of(pool), "pool": pool, "applicant": holder, "cap_holder": holder}
    known["creditor"] = CREDITOR  # the example's is sealed under a key that nobody has
    event: ApplicationApproved = changed(
        ApplicationApproved, application_id=uuid7(), approved=Money(amount), **known | values
    )
    return event


def claim(award: Any, eligible: int, claim_id: UUID | None = None) -> ClaimVerified:
    event: ClaimVerified = changed(
        ClaimVerified,
        claim_id=claim_id or uuid7(),
        award_id=UUID(str(award["award_id"])),
        application_id=UUID(str(award["application_id"])),
        scheme=award["scheme"],
        applicant=award["applicant"],
        eligible=Money(eligible),
    )
    return event


def settlement(payment: Any, amount: int | None = None) -> PaymentSettled:
    event: PaymentSettled = changed(
        PaymentSettled,
        payment_id=UUID(str(payment["payment_id"])),
        end_to_end_id=payment["end_to_end_id"],
        money=Money(payment["amount"] if amount is None else amount),
    )
    return event


async def tell_one_by_one(ledger: Side, *events: Event) -> None:
    for event in events:
        await ledger.handle([tell(event)])


async def awards(ledger: Side) -> list[Any]:
    """The awards in the order in which they were issued."""
    return await ledger.fetch("SELECT * FROM awards ORDER BY issued_at, award_id")


async def payments(ledger: Side) -> list[Any]:
    return await ledger.fetch("SELECT * FROM payments ORDER BY payment_id")


async def books(ledger: Side, pool: str = HOT) -> tuple[int, int, int, int]:
    """What is available, committed, obligated and disbursed of a pool, which add up to what was appropriated."""
    [row] = await ledger.fetch("SELECT * FROM pools WHERE pool = $1", pool)
    found = (row["available"], row["committed"], row["obligated"], row["disbursed"])
    assert sum(found) == row["appropriated"] == POOL_FEN
    return found


async def states(ledger: Side) -> dict[str, int]:
    rows = await ledger.fetch("SELECT state, count(*) AS number FROM applications GROUP BY state")
    return {row["state"]: row["number"] for row in rows}


async def published(ledger: Side) -> list[Event]:
    rows = await ledger.fetch("SELECT event_id, type, data FROM outbox ORDER BY id")
    return [decode(row["type"], outbox.opened(KEYRING, row["event_id"], row["data"]) or b"") for row in rows]


async def test_an_award_is_the_least_of_its_limits(ledger: Side) -> None:
    asked = [approval(60_000), approval(60_000), approval(1), approval(CAP_FEN, company=2)]
    await tell_one_by_one(ledger, *asked)
    found = [(award["awarded"], award["limited_by"]) for award in await awards(ledger)]
    assert found == [(60_000, "approved"), (40_000, "cap"), (CAP_FEN, "approved")]
    assert await states(ledger) == {"awarded": 3, "refused": 1}
    assert await books(ledger) == (POOL_FEN - 200_000, 200_000, 0, 0)


async def test_an_approval_that_the_envelope_is_short_of_waits_and_nobody_overtakes_it(ledger: Side) -> None:
    await tell_one_by_one(ledger, *[approval(CAP_FEN, company=number) for number in range(7)], approval(50_000, 8))
    await tell_one_by_one(ledger, approval(60_000, company=9), approval(10, company=10))
    assert await states(ledger) == {"awarded": 8, "waitlisted": 2}
    assert (await books(ledger))[1] == 750_000 < ENVELOPE_FEN


async def test_the_same_event_and_the_same_application_count_once(ledger: Side) -> None:
    event = approval(1_000)
    first, second = tell(event), tell(event)
    await ledger.handle([first, second])
    await ledger.handle([first])
    await ledger.handle([second])
    assert await books(ledger) == (POOL_FEN - 1_000, 1_000, 0, 0)
    assert len(await awards(ledger)) == 1


@pytest.mark.parametrize("pool", [HOT, WARM])
async def test_no_race_takes_more_than_there_is(ledger: Side, pool: str) -> None:
    """64 events at a time is more than the peer has connections; ours takes them as one batch."""
    told: list[Told] = [tell(approval(70_000, company=number % 40, pool=pool)) for number in range(64)]
    await ledger.handle(told)
    await ledger.handle(told)
    limit = ENVELOPE_FEN if pool == HOT else POOL_FEN
    committed = (await books(ledger, pool))[1]
    assert limit - 70_000 < committed <= limit
    found = await awards(ledger)
    assert sum(award["awarded"] for award in found) == committed
    by_holder = await ledger.fetch("SELECT sum(awarded) AS sum FROM awards GROUP BY cap_holder")
    assert max(row["sum"] for row in by_holder) <= CAP_FEN
    caps = await ledger.fetch("SELECT sum(granted)::bigint AS granted FROM caps")
    assert caps[0]["granted"] == committed


async def test_a_claim_pays_the_least_of_rate_and_rest_however_many_race(ledger: Side) -> None:
    await ledger.handle([tell(approval(10_000))])
    [award] = await awards(ledger)
    await ledger.handle([tell(claim(award, 5_000)) for _ in range(6)])  # at 60 %: 3,000 each
    amounts = sorted(payment["amount"] for payment in await payments(ledger))
    assert amounts == [1_000, 3_000, 3_000, 3_000]
    assert await books(ledger) == (POOL_FEN - 10_000, 0, 10_000, 0)


async def test_a_claim_told_twice_is_paid_once(ledger: Side) -> None:
    await ledger.handle([tell(approval(10_000))])
    [award] = await awards(ledger)
    event = claim(award, 5_000)
    await tell_one_by_one(ledger, event, event)
    assert [payment["amount"] for payment in await payments(ledger)] == [3_000]


async def test_a_report_moves_money_once_and_only_if_it_fits(ledger: Side) -> None:
    await ledger.handle([tell(approval(10_000))])
    [award] = await awards(ledger)
    await ledger.handle([tell(claim(award, 5_000))])
    [payment] = await payments(ledger)
    await tell_one_by_one(ledger, settlement(payment, amount=2_999))
    assert await books(ledger) == (POOL_FEN - 10_000, 7_000, 3_000, 0)
    await tell_one_by_one(ledger, settlement(payment), settlement(payment))
    assert await books(ledger) == (POOL_FEN - 10_000, 7_000, 0, 3_000)
    [award] = await awards(ledger)
    assert (award["committed"], award["obligated"], award["disbursed"]) == (7_000, 0, 3_000)


async def test_every_move_is_a_transfer_and_every_decision_is_told(ledger: Side) -> None:
    await ledger.handle([tell(approval(10_000))])
    [award] = await awards(ledger)
    await ledger.handle([tell(claim(award, 5_000))])
    [payment] = await payments(ledger)
    await ledger.handle([tell(settlement(payment))])
    rows = await ledger.fetch("SELECT source, target, amount FROM transfers WHERE award_id IS NOT NULL")
    moves = {(row["source"], row["target"], row["amount"]) for row in rows}
    assert moves == {
        ("available", "committed", 10_000),
        ("committed", "obligated", 3_000),
        ("obligated", "disbursed", 3_000),
    }
    of_pools = ("transfer.posted", "envelope.set")
    told = [event.TYPE for event in await published(ledger) if event.TYPE not in of_pools]
    assert told == ["award.issued", "claim.payable", "payment.instructed", "claim.paid"]
