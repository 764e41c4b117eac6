"""What only a system of several services has to show: one is killed, and another one shows what the first one holds.

The lives themselves are in ``test_vouchers``.
"""

import asyncio
import json

from aiokafka import AIOKafkaConsumer

from stack.simulators.population import Role
from tests.journeys.traveller import State, Traveller


async def test_each_service_killed_in_turn_loses_and_doubles_nothing(traveller: Traveller) -> None:
    asks = [traveller.ask_of(Role.ORDINARY, number) for number in range(10, 18)]
    states = []
    for asked, victim in zip(asks, ("eligibility", "disbursement", "metrics", "eligibility") * 2, strict=True):
        states.append(await traveller.apply(asked))
        traveller.system.kill(victim)
    for state in states:
        awarded = await traveller.until_status(state, "awarded")
        await traveller.claim(awarded, 1_000_000, f"{awarded['number']}-1")
        traveller.system.kill("disbursement")
    ended = [await traveller.until_claims_end(await _with_claims(traveller, state)) for state in states]

    assert [len(state["claims"]) for state in ended] == [1] * len(ended)
    payments = {claim["payment"]["payment_id"] for state in ended for claim in state["claims"]}
    instructions = await _instructions(traveller, payments)
    assert len(instructions) == len(set(instructions)), "a payment was instructed twice for one attempt"
    assert {payment for payment, attempt in instructions if attempt == 1} == payments
    # What the bank sends back (3 in 100) is instructed again, as the next attempt.
    assert {(payment, attempt - 1) for payment, attempt in instructions if attempt > 1} <= set(instructions)


async def _with_claims(traveller: Traveller, state: State) -> State:
    return await traveller.until(state, lambda seen: len(seen["claims"]) == 1)


async def _instructions(traveller: Traveller, payments: set[str]) -> list[tuple[str, int]]:
    """Read ``disbursement.payments`` as any Kafka tool does; return (id, attempt) as often as each was instructed."""
    consumer = AIOKafkaConsumer(
        "disbursement.payments", bootstrap_servers=traveller.system.kafka_bootstrap, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        found: dict[str, tuple[str, int]] = {}
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    headers = dict(record.headers)
                    assert headers["content-type"] == b"application/json"
                    if headers["ce_type"] == b"drawdown.payment.instructed.v1":
                        told = json.loads(record.value)
                        found[headers["ce_id"].decode()] = told["payment_id"], told["attempt"]
    finally:
        await consumer.stop()
    return [instruction for instruction in found.values() if instruction[0] in payments]


async def test_metrics_shows_the_ledger_to_the_fen(traveller: Traveller) -> None:
    async with asyncio.timeout(30):
        while True:
            before = await traveller.pool()
            seen = await traveller.pool(service="metrics")
            if before == seen == await traveller.pool():
                break
            await asyncio.sleep(0.1)  # the projection follows the ledger by some milliseconds
    assert before["appropriated"] == sum(amount for name, amount in before.items() if name != "appropriated")
