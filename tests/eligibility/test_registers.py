"""The client of the registers, over real HTTP: what is an answer, what is none, and what it spares a sick register."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from eligibility.breaker import Breaker
from eligibility.registers import Registers
from eligibility.rules import REGISTERS
from eligibility.settings import Settings
from tests.eligibility.registers import FakeRegisters
from tests.eligibility.scenes import APPLICANT

ALL = dict.fromkeys(REGISTERS, APPLICANT)


def changed(settings: Settings, **changes: object) -> Settings:
    return settings.model_copy(update=changes)


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[Registers]:
    client = Registers(settings)
    yield client
    await client.close()


async def test_all_registers_answer(client: Registers, registers: FakeRegisters) -> None:
    answers = await client.ask(ALL)
    assert set(answers) == set(REGISTERS)
    assert answers["business_registration"]["found"] is True
    assert answers["related_companies"]["group"] == APPLICANT
    assert all(answer["asked_at"] for answer in answers.values())


async def test_not_in_the_register_is_an_answer(client: Registers, registers: FakeRegisters) -> None:
    for name in REGISTERS:
        registers.answer(name, {"detail": "unknown"}, status=404)
    answers = await client.ask(ALL)
    assert answers["business_registration"]["found"] is False
    assert answers["provider"]["listed"] is False
    assert set(answers) == {"business_registration", "provider"}  # the others know every company


async def test_the_page_of_a_proxy_is_no_answer(client: Registers, registers: FakeRegisters) -> None:
    for name in REGISTERS:
        registers.page(name, "<h1>Not Found</h1>", status=404)
    assert await client.ask(ALL) == {}


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 503])
async def test_an_error_is_no_answer(client: Registers, registers: FakeRegisters, status: int) -> None:
    registers.answer("credit_record", {"blacklisted": False}, status=status)
    assert "credit_record" not in await client.ask(ALL)


@pytest.mark.parametrize(
    "body",
    [{}, [], None, {"blacklisted": "no"}, {"blacklisted": None}],
)
async def test_another_form_is_no_answer(client: Registers, registers: FakeRegisters, body: object) -> None:
    registers.answer("credit_record", body)
    assert "credit_record" not in await client.ask(ALL)


async def test_a_slow_register_is_given_up(settings: Settings, registers: FakeRegisters) -> None:
    client = Registers(changed(settings, register_timeout_seconds=0.05, register_tries=1))
    registers.delay_seconds = 2.0
    started = time.monotonic()
    assert await client.ask(ALL) == {}
    assert time.monotonic() - started < 1.5
    await client.close()


async def test_a_register_that_drips_is_given_up(settings: Settings, registers: FakeRegisters) -> None:
    """The time is that of the whole answer: each of its bytes comes in time."""
    client = Registers(changed(settings, register_timeout_seconds=0.2, register_tries=1))
    registers.drip_seconds = 0.05
    assert await client.ask(ALL) == {}
    await client.close()


async def test_what_may_pass_is_tried_again(settings: Settings, registers: FakeRegisters) -> None:
    client = Registers(changed(settings, register_tries=3, register_failures_to_open=100))
    registers.fail("credit_record")
    registers.answer("provider", {}, status=400)
    await client.ask(ALL)
    assert registers.asked["credit_record"] == 3
    assert registers.asked["provider"] == 1  # a refusal stays one
    await client.close()


async def test_an_address_that_nobody_listens_on_is_no_answer(settings: Settings) -> None:
    client = Registers(changed(settings, registers_url="http://127.0.0.1:1"))
    assert await client.ask(ALL) == {}
    await client.close()


async def test_a_failing_register_is_left_alone_then_tried_by_one(settings: Settings, registers: FakeRegisters) -> None:
    client = Registers(changed(settings, register_tries=1, register_failures_to_open=3, register_open_seconds=1.0))
    registers.fail("credit_record")
    for _ in range(10):
        await client.ask({"credit_record": APPLICANT})
    assert registers.asked["credit_record"] == 3
    assert client.open_circuits() == ["credit_record"]
    await asyncio.sleep(1.05)
    await asyncio.gather(*(client.ask({"credit_record": APPLICANT}) for _ in range(10)))
    assert registers.asked["credit_record"] == 4
    await asyncio.sleep(1.05)
    registers.reset()
    assert await client.ask({"credit_record": APPLICANT})
    assert client.open_circuits() == []
    assert len(await client.ask(ALL)) == 4
    await client.close()


async def test_only_so_many_companies_are_asked_about_at_once(settings: Settings, registers: FakeRegisters) -> None:
    client = Registers(changed(settings, register_companies_at_once=2))
    registers.delay_seconds = 0.02
    await asyncio.gather(*(client.ask(dict.fromkeys(REGISTERS, f"{number:018d}")) for number in range(10)))
    assert registers.most_at_once <= 2 * len(REGISTERS)
    await client.close()


async def test_an_answer_serves_for_a_while(settings: Settings, registers: FakeRegisters) -> None:
    client = Registers(changed(settings, register_answer_age_seconds=1.0))
    first = await client.ask({"provider": APPLICANT})
    assert await client.ask({"provider": APPLICANT}) == first
    assert registers.asked["provider"] == 1
    await asyncio.sleep(1.05)
    assert await client.ask({"provider": APPLICANT}) != first  # asked at another time
    assert registers.asked["provider"] == 2
    await client.close()


async def test_who_asks_the_same_meanwhile_shares_the_answer(settings: Settings, registers: FakeRegisters) -> None:
    """One of them giving up takes it from nobody."""
    client = Registers(settings)
    registers.delay_seconds = 0.1
    asking = [asyncio.create_task(client.ask({"credit_record": APPLICANT})) for _ in range(5)]
    await asyncio.sleep(0.05)
    asking[0].cancel()
    answers = await asyncio.gather(*asking[1:])
    assert all(answer == answers[0] != {} for answer in answers)
    assert registers.asked["credit_record"] == 1
    await client.ask({"credit_record": APPLICANT})
    assert registers.asked["credit_record"] == 2
    await client.close()


def test_the_breaker_opens_pauses_and_lets_one_through() -> None:
    now = 0.0
    breaker = Breaker(failures_to_open=2, open_seconds=10, clock=lambda: now)
    breaker.failed()
    assert breaker.allows()
    breaker.succeeded()
    breaker.failed()
    assert breaker.allows()  # a success in between starts the count anew
    breaker.failed()
    assert (breaker.is_open, breaker.allows()) == (True, False)
    now = 10.0
    assert [breaker.allows(), breaker.allows()] == [True, False]
    breaker.abandoned()
    assert breaker.allows()
    breaker.failed()
    assert not breaker.allows()
    now = 20.0
    assert breaker.allows()
    breaker.succeeded()
    assert [breaker.allows(), breaker.allows()] == [True, True]


async def test_a_register_with_a_limit_is_asked_no_more_often(settings: Settings, registers: FakeRegisters) -> None:
    once = Registers(changed(settings, register_requests_per_second={"credit_record": 1 / 3600}))
    try:
        assert set(await once.ask(ALL)) == set(REGISTERS)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(once.ask(ALL), 0.5)  # an hour has not passed; the others were asked meanwhile
    finally:
        await once.close()
    assert {name: registers.asked[name] for name in REGISTERS} == {
        "business_registration": 2,
        "credit_record": 1,
        "related_companies": 2,
        "provider": 2,
    }
