"""Whole lives of vouchers, from the portal's call to the settled payment.

The same tests hold for Drawdown, over real Kafka, and for the monolith that it is measured beside
(``benchmarks/peers/synchronous``): what is faster has to do the same.
"""

from stack.simulators import bodies
from stack.simulators.population import Role
from tests.journeys.traveller import State, Walker


async def test_a_voucher_is_awarded_claimed_in_parts_and_paid(anywhere: Walker) -> None:
    asked = anywhere.ask_of(Role.ORDINARY)
    before = await anywhere.pool()
    state = await anywhere.until_status(await anywhere.apply(asked), "awarded")
    awarded = asked.amount * 60 // 100
    assert state["award"]["awarded"]["amount"] == awarded
    assert state["award"]["limited_by"] == "approved"

    expense = asked.amount // 3
    answers = [await anywhere.claim(state, expense, f"{asked.contract.number}-{number}") for number in (1, 2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    again = await anywhere.claim(state, expense, f"{asked.contract.number}-1")
    assert (again.status_code, again.json()["code"]) == (409, "invoice_already_claimed")

    state = await anywhere.until_claims_end(state)
    each = expense * 60 // 100
    assert [claim["payable"]["amount"] for claim in state["claims"]] == [each, each]
    assert state["award"]["rest"]["amount"] == awarded - 2 * each
    after = await anywhere.pool()
    assert before["available"] - after["available"] == awarded
    assert sum(after[name] - before[name] for name in ("obligated", "disbursed")) == 2 * each
    await _told_in_order(anywhere, state)


async def _told_in_order(anywhere: Walker, state: State) -> None:
    timeline = await anywhere.get("intake", f"/v1/applications/{state['application_id']}/timeline")
    types = [line["type"] for line in timeline["items"]]
    assert types[:3] == ["application.submitted", "application.approved", "award.issued"]
    assert types.count("claim.payable") == 2
    times = [line["at"] for line in timeline["items"]]
    assert times == sorted(times)


async def test_a_claim_over_the_rest_is_paid_the_rest_and_the_next_one_refused(anywhere: Walker) -> None:
    asked = anywhere.ask_of(Role.ORDINARY, 1)
    state = await anywhere.until_status(await anywhere.apply(asked), "awarded")

    await anywhere.claim(state, asked.amount * 2, f"{asked.contract.number}-1")
    state = await anywhere.until_claims_end(state)
    refused = await anywhere.claim(state, 100, f"{asked.contract.number}-2")

    assert state["claims"][0]["payable"] == state["award"]["awarded"]
    assert (state["award"]["rest"]["amount"], state["award"]["status"]) == (0, "exhausted")
    assert (refused.status_code, refused.json()["code"]) == (409, "award_exhausted")


async def test_a_dissolved_company_is_rejected_with_reasons_in_two_languages(anywhere: Walker) -> None:
    state = await anywhere.until_status(await anywhere.apply(anywhere.ask_of(Role.DISSOLVED)), "rejected")

    [reason] = [reason for reason in state["decision"]["reasons"] if reason["outcome"] == "not_met"]
    assert (reason["code"], reason["clause"]) == ("in-operation", "3.1")
    assert reason["text"]["zh-CN"].startswith("企业已注销")
    assert reason["text"]["en"].startswith("The company is dissolved")


async def test_the_cap_limits_what_a_large_company_gets(anywhere: Walker) -> None:
    # The first three of its kind may have reached their cap in the season of `test_registers`.
    state = await anywhere.until_status(await anywhere.apply(anywhere.ask_of(Role.AT_CAP, 3)), "awarded")

    assert (state["award"]["awarded"]["amount"], state["award"]["limited_by"]) == (1_000_000_000, "cap")


async def test_an_application_withdrawn_early_gets_nothing(anywhere: Walker) -> None:
    created = await anywhere.apply(anywhere.ask_of(Role.ORDINARY, 2))
    answer = await anywhere.post(f"/v1/applications/{created['application_id']}/withdrawal", {})
    if answer.status_code == 409:  # the award was faster: then the application can't be withdrawn any more
        await anywhere.until_status(created, "awarded")
        return

    state = await anywhere.until_status(created, "withdrawn")
    assert state["award"] is None or state["award"]["status"] == "revoked"


async def test_registers_that_are_away_delay_the_decision_and_never_replace_it(anywhere: Walker) -> None:
    registers = anywhere.place.urls["registers"]
    await anywhere.client.post(f"{registers}/simulator/outage", json={"seconds": 4})

    created = await anywhere.apply(anywhere.ask_of(Role.ORDINARY, 3))
    waiting = await anywhere.until_status(created, "assessing")
    state = await anywhere.until_status(created, "awarded")

    assert waiting["waiting_for"]["who"] == "registers"
    assert waiting["decision"] is None
    assert state["decision"]["outcome"] == "approved"


async def test_an_application_on_a_contract_that_has_support_is_rejected(anywhere: Walker) -> None:
    asked = anywhere.ask_of(Role.ORDINARY, 4)
    await anywhere.until_status(await anywhere.apply(asked), "awarded")

    state = await anywhere.until_status(await anywhere.apply(asked), "rejected")

    faults = [reason["code"] for reason in state["decision"]["reasons"] if reason["outcome"] == "not_met"]
    assert faults == ["contract-already-supported"]


async def test_the_same_call_again_changes_nothing_and_brings_the_same_answer(anywhere: Walker) -> None:
    asked = anywhere.ask_of(Role.ORDINARY, 5)
    body = bodies.application(asked, submit=True)
    first = await anywhere.post("/v1/applications", body, key=asked.contract.number)
    again = await anywhere.post("/v1/applications", body, key=asked.contract.number)
    changed = body | {"applicant": body["applicant"] | {"headcount": 7_777}}
    other = await anywhere.post("/v1/applications", changed, key=asked.contract.number)

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    await anywhere.until_status(first.json(), "awarded")
