"""What finance and auditors read from disbursement, and how the pools are opened."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest

from contracts.chain import transfer_hash
from contracts.events import AwardIssued
from contracts.money import Money
from disbursement import api, programme
from disbursement.book import opening_transfer_id
from disbursement.problems import PROBLEMS
from kit.database import Database
from kit.errors import SetupError
from kit.http import create_app
from tests.disbursement.scenes import PROGRAMME, YUAN, Scene, approved, only, policy, publish, verified
from tests.kit.issuer import Issuer, access_of, bearing


@pytest.fixture
async def client(opened: Path, database: Database) -> AsyncIterator[httpx.AsyncClient]:
    issuer = Issuer()
    issuer.come()
    app = create_app(service="disbursement", title="disbursement", description="", trouble={}, own_problems=PROBLEMS)
    app.include_router(api.router(api.Parts(database, access=access_of(issuer))))
    transport, headers = httpx.ASGITransport(app=app), bearing(issuer, "auditor")
    async with httpx.AsyncClient(transport=transport, base_url="http://disbursement", headers=headers) as client:
        yield client
    await issuer.go()


async def test_companies_business_is_read_with_a_token_only(client: httpx.AsyncClient) -> None:
    del client.headers["authorization"]
    for what in ("transfers?pool=x", "awards", "claims", "recoveries", "payments", "discrepancies", "orders"):
        path = f"/v1/{what}"
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (401, "token_missing"), path
    for path in ("/v1/pools", "/v1/envelopes"):
        assert (await client.get(path)).status_code == 200, path


async def test_a_pool_is_opened_once_by_a_transfer_with_a_fixed_id(
    client: httpx.AsyncClient, opened: Path, database: Database
) -> None:
    await programme.open_pools(database, programme.read(opened))

    [pool] = (await client.get("/v1/pools")).json()["items"]
    [transfer] = (await client.get("/v1/transfers", params={"pool": "test-pool"})).json()["items"]
    assert (pool["available"], pool["version"]) == ({"amount": 100_000_000, "currency": "CNY"}, 1)
    assert (transfer["from"], transfer["to"]) == ("appropriated", "available")
    assert transfer["transfer_id"] == str(opening_transfer_id("test-pool"))
    assert transfer_hash(transfer) == transfer["hash"] == pool["hash"]


async def test_a_changed_appropriation_is_refused_with_what_to_do(
    client: httpx.AsyncClient, opened: Path, database: Database
) -> None:
    [pool] = programme.read(opened).pools
    more = msgspec.structs.replace(pool, appropriated=Money(pool.appropriated.amount + 1))

    with pytest.raises(SetupError, match="put the opening sum back"):
        await programme.open_pools(database, programme.Programme((more,)))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("pools: [", "expected"),
        ("pools: [{pool: x}]", "name"),
        (PROGRAMME.replace("100000000", "1.5"), "appropriated.amount"),
    ],
)
def test_a_wrong_programme_names_the_file_and_the_field(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "programme.yaml"
    path.write_text(content, encoding="utf-8")

    with pytest.raises(SetupError, match=f"programme.yaml: .*{says}"):
        programme.read(path)


async def test_a_missing_programme_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="set DISBURSEMENT_PROGRAMME_FILE"):
        programme.read(tmp_path / "nowhere.yaml")


async def test_awards_payments_and_transfers_are_paged(client: httpx.AsyncClient, database: Database) -> None:
    async with database.transaction() as connection:
        scene = Scene(connection)
        await publish(scene, policy())
        awards = [
            only(await scene.tell(approved(1_000 * YUAN, applicant=f"9144030000000000{number:02d}")), AwardIssued)
            for number in range(3)
        ]
        await scene.tell(*[verified(award, 100 * YUAN) for award in awards])

    first = (await client.get("/v1/awards", params={"limit": 2})).json()
    rest = (await client.get("/v1/awards", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [item["award_id"] for item in first["items"] + rest["items"]] == [str(award.award_id) for award in awards]
    assert rest["next_cursor"] is None
    assert first["items"][0]["claimed"]["amount"] == 60 * YUAN

    [payment, *_] = (await client.get("/v1/payments", params={"status": "instructed"})).json()["items"]
    assert payment["money"]["amount"] == 60 * YUAN
    assert "creditor" not in payment
    assert (await client.get("/v1/payments", params={"status": "settled"})).json()["items"] == []

    page = (await client.get("/v1/transfers", params={"pool": "test-pool", "after_version": 1, "limit": 2})).json()
    assert [transfer["version"] for transfer in page["items"]] == [2, 3]
    assert page["next_cursor"] == "3"


async def test_an_award_that_is_not_there_is_404(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/awards/01a203ca-95ac-77d9-b078-bb7813aad66e", headers={"accept-language": "en"})

    assert (response.status_code, response.json()["code"]) == (404, "award_not_found")
