"""The registers, asked over real HTTP: they answer as the contract with them says."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from stack.simulators.codes import code_of
from stack.simulators.population import Company, Role, companies, example
from stack.simulators.registers import Registers, create_app
from stack.simulators.relations import group, providers, unlisted_seller
from tests.simulators.conftest import Serve

SEED, COMPANIES = 1, 300
ALL = list(companies(SEED, COMPANIES))
LOOKUPS = ("business-registration/companies", "credit-records", "related-companies", "providers")


def one(role: Role) -> Company:
    return next(company for company in ALL if company.role is role)


@pytest.fixture
async def registers(serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(create_app(Registers(SEED, COMPANIES))) as client:
        yield client


async def test_an_active_company_is_registered(registers: httpx.AsyncClient) -> None:
    company = one(Role.ORDINARY)
    answer = await registers.get(f"/business-registration/companies/{company.uscc}")
    assert answer.json() == {
        "uscc": company.uscc,
        "name": company.name,
        "status": "active",
        "registered_on": company.registered_on.isoformat(),
        "district": company.district,
    }


async def test_a_dissolved_company_is_registered_as_dissolved(registers: httpx.AsyncClient) -> None:
    answer = await registers.get(f"/business-registration/companies/{one(Role.DISSOLVED).uscc}")
    assert answer.json()["status"] == "dissolved"


@pytest.mark.parametrize("uscc", [one(Role.UNKNOWN).uscc, code_of(SEED, COMPANIES), "91110000600037341L", "x"])
async def test_an_unknown_company_is_not_found(registers: httpx.AsyncClient, uscc: str) -> None:
    answer = await registers.get(f"/business-registration/companies/{uscc}")
    assert answer.status_code == 404
    assert "detail" in answer.json()


async def test_the_example_company_is_known(registers: httpx.AsyncClient) -> None:
    answer = await registers.get(f"/business-registration/companies/{example(SEED).uscc}")
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("uscc", "blacklisted"),
    [(one(Role.BLACKLISTED).uscc, True), (one(Role.ORDINARY).uscc, False), ("91110000600037341L", False)],
)
async def test_a_credit_record_exists_for_anyone(registers: httpx.AsyncClient, uscc: str, blacklisted: bool) -> None:
    answer = await registers.get(f"/credit-records/{uscc}")
    assert answer.json() == {"uscc": uscc, "blacklisted": blacklisted}


async def test_a_group_is_named_by_its_smallest_code(registers: httpx.AsyncClient) -> None:
    members = sorted(code_of(SEED, index) for index in group(SEED, 3))
    for member in members:
        answer = await registers.get(f"/related-companies/{member}")
        assert answer.json() == {"uscc": member, "group": members[0], "members": members}


async def test_a_company_alone_is_its_own_group(registers: httpx.AsyncClient) -> None:
    uscc = one(Role.ORDINARY).uscc
    answer = await registers.get(f"/related-companies/{uscc}")
    assert answer.json() == {"uscc": uscc, "group": uscc, "members": [uscc]}


async def test_a_listed_provider_sells_computing_power(registers: httpx.AsyncClient) -> None:
    answer = await registers.get(f"/providers/{providers(SEED)[0].uscc}")
    assert answer.json()["listed"] is True
    assert answer.json()["services"] == ["compute", "model", "corpus"]
    last = await registers.get(f"/providers/{providers(SEED)[-1].uscc}")
    assert last.json()["services"] == ["compute"]
    assert answer.json()["listed_from"] < answer.json()["listed_until"]


@pytest.mark.parametrize("uscc", [unlisted_seller(SEED), one(Role.ORDINARY).uscc])
async def test_a_seller_on_no_list_is_not_found(registers: httpx.AsyncClient, uscc: str) -> None:
    assert (await registers.get(f"/providers/{uscc}")).status_code == 404


async def test_an_outage_answers_503_until_it_is_ended(registers: httpx.AsyncClient) -> None:
    uscc = one(Role.ORDINARY).uscc
    await registers.post("/simulator/outage", json={"seconds": 60})
    assert {(await registers.get(f"/{lookup}/{uscc}")).status_code for lookup in LOOKUPS} == {503}
    assert (await registers.get("/health/live")).status_code == 200
    await registers.post("/simulator/outage", json={"seconds": 0})
    assert (await registers.get(f"/credit-records/{uscc}")).status_code == 200


@pytest.mark.parametrize("body", ["", "{}", '{"seconds": "long"}'])
async def test_a_malformed_outage_is_refused(registers: httpx.AsyncClient, body: str) -> None:
    assert (await registers.post("/simulator/outage", content=body)).status_code == 422


async def test_the_issuers_keys_are_read_at_each_call(serve: Serve, tmp_path: Path) -> None:
    keys = tmp_path / "jwks.json"
    async with serve(create_app(Registers(SEED, COMPANIES), keys)) as client:
        for kids in (["first"], ["first", "second"]):
            published = {"keys": [{"kty": "EC", "kid": kid} for kid in kids]}
            keys.write_text(json.dumps(published))
            answer = await client.get("/.well-known/jwks.json")
            assert answer.json() == published
            assert answer.headers["content-type"] == "application/jwk-set+json"


async def test_the_issuer_is_no_register_and_not_out_of_order_with_them(serve: Serve, tmp_path: Path) -> None:
    keys = tmp_path / "jwks.json"
    keys.write_text('{"keys": []}')
    async with serve(create_app(Registers(SEED, COMPANIES), keys)) as client:
        await client.post("/simulator/outage", json={"seconds": 60})
        assert (await client.get("/.well-known/jwks.json")).status_code == 200


async def test_without_a_file_of_keys_there_is_no_issuer(registers: httpx.AsyncClient) -> None:
    assert (await registers.get("/.well-known/jwks.json")).status_code == 404
