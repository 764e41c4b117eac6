"""Whole lives of applications, over real Kafka, from the portal's call to the settled payment."""

import asyncio
import json

from aiokafka import AIOKafkaConsumer

from stack.simulators.population import Role
from tests.journeys.traveller import State, Traveller


async def test_a_voucher_is_awarded_claimed_in_parts_and_paid(traveller: Traveller) -> None:
    asked = traveller.ask_of(Role.ORDINARY)
    before = await traveller.pool()
    state = await traveller.until_status(await traveller.apply(asked), "awarded")
    awarded = asked.amount * 60 // 100
    assert state["award"]["awarded"]["amount"] == awarded
    assert state["award"]["limited_by"] == "approved"

    expense = asked.amount // 3
    answers = [await traveller.claim(state, expense, f"{asked.contract.number}-{number}") for number in (1, 2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    again = await traveller.claim(state, expense, f"{asked.contract.number}-1")
    assert (again.status_code, again.json()["code"]) == (409, "invoice_already_claimed")

    state = await traveller.until_claims_end(state)
    each = expense * 60 // 100
    assert [claim["payable"]["amount"] for claim in state["claims"]] == [each, each]
    assert state["award"]["rest"]["amount"] == awarded - 2 * each
    after = await traveller.pool()
    assert before["available"] - after["available"] == awarded
    assert sum(after[name] - before[name] for name in ("obligated", "disbursed")) == 2 * each
    await _told_in_order(traveller, state)


async def _told_in_order(traveller: Traveller, state: State) -> None:
    timeline = await traveller.get("intake", f"/v1/applications/{state['application_id']}/timeline")
    types = [line["type"] for line in timeline["items"]]
    assert types[:3] == ["application.submitted", "application.approved", "award.issued"]
    assert types.count("claim.payable") == 2
    times = [line["at"] for line in timeline["items"]]
    assert times == sorted(times)


async def test_a_claim_over_the_rest_is_paid_the_rest_and_the_next_one_refused(traveller: Traveller) -> None:
    asked = traveller.ask_of(Role.ORDINARY, 1)
    state = await traveller.until_status(await traveller.apply(asked), "awarded")

    await traveller.claim(state, asked.amount * 2, f"{asked.contract.number}-1")
    state = await traveller.until_claims_end(state)
    refused = await traveller.claim(state, 100, f"{asked.contract.number}-2")

    assert state["claims"][0]["payable"] == state["award"]["awarded"]
    assert (state["award"]["rest"]["amount"], state["award"]["status"]) == (0, "exhausted")
    assert (refused.status_code, refused.json()["code"]) == (409, "award_exhausted")


async def test_a_dissolved_company_is_rejected_with_reasons_in_two_languages(traveller: Traveller) -> None:
    state = await traveller.until_status(await traveller.apply(traveller.ask_of(Role.DISSOLVED)), "rejected")

    [reason] = [reason for reason in state["decision"]["reasons"] if reason["outcome"] == "not_met"]
    assert (reason["code"], reason["clause"]) == ("in-operation", "3.1")
    assert reason["text"]["zh-CN"].startswith("企业已注销")
    assert reason["text"]["en"].startswith("The company is dissolved")


async def test_the_cap_limits_what_a_large_company_gets(traveller: Traveller) -> None:
    state = await traveller.until_status(await traveller.apply(traveller.ask_of(Role.AT_CAP)), "awarded")

    assert (state["award"]["awarded"]["amount"], state["award"]["limited_by"]) == (1_000_000_000, "cap")


async def test_an_application_withdrawn_early_gets_nothing(traveller: Traveller) -> None:
    created = await traveller.apply(traveller.ask_of(Role.ORDINARY, 2))
    answer = await traveller.post(f"/v1/applications/{created['application_id']}/withdrawal", {})
    if answer.status_code == 409:  # the award was faster: then the application can't be withdrawn any more
        await traveller.until_status(created, "awarded")
        return

    state = await traveller.until_status(created, "withdrawn")
    assert state["award"] is None or state["award"]["status"] == "revoked"


async def test_registers_that_are_away_delay_the_decision_and_never_replace_it(traveller: Traveller) -> None:
    registers = traveller.system.urls["registers"]
    await traveller.client.post(f"{registers}/simulator/outage", json={"seconds": 4})

    created = await traveller.apply(traveller.ask_of(Role.ORDINARY, 3))
    waiting = await traveller.until_status(created, "assessing")
    state = await traveller.until_status(created, "awarded")

    assert waiting["waiting_for"]["who"] == "registers"
    assert waiting["decision"] is None
    assert state["decision"]["outcome"] == "approved"


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
