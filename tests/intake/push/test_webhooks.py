"""A client's webhooks over HTTP: made once, changed with an ETag, seen by nobody else, and their secret told once."""

from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from intake import sealed
from intake.push import signing
from intake.push.commands import MOST_OF_CLIENT
from kit.database import Database
from kit.resealing import Resealer
from tests.intake.conftest import calling
from tests.intake.push.courier import deliveries, post, shown, subscribe
from tests.intake.push.receiver import Receiver
from tests.intake.scenes import Portal
from tests.kit.issuer import Issuer

URL = "http://127.0.0.1:9/hook"


async def test_the_same_key_makes_one_webhook_and_gives_the_same_secret(portal: Portal) -> None:
    key = str(uuid4())
    first = await post(portal, "/v1/webhooks", {"url": URL}, key)
    again = await post(portal, "/v1/webhooks", {"url": URL}, key)
    assert first.status_code == 201
    assert (first.content, first.headers["location"]) == (again.content, again.headers["location"])
    assert first.json()["secret"].startswith("whsec_")
    assert len((await portal.client.get("/v1/webhooks")).json()["items"]) == 1
    assert (await post(portal, "/v1/webhooks", {"url": URL + "2"}, key)).json()["code"] == "idempotency_key_reused"
    assert (await portal.client.post("/v1/webhooks", json={"url": URL})).json()["code"] == "idempotency_key_missing"


async def test_the_secret_is_told_once(portal: Portal, receiver: Receiver) -> None:
    webhook = await subscribe(portal, receiver)
    assert "secret" not in await shown(portal, webhook)
    assert "whsec" not in (await portal.client.get("/v1/webhooks")).text


async def test_secrets_are_stored_sealed_and_follow_the_keyring(
    portal: Portal, receiver: Receiver, empty_database: Database
) -> None:
    webhook = await subscribe(portal, receiver)
    place = f"/v1/webhooks/{webhook['webhook_id']}"
    rotated = (await portal.client.patch(place, json={"rotate_secret": True})).json()["secret"]
    keyring = empty_database.keyring
    assert keyring is not None
    kept = await _secrets(empty_database)
    assert all(each.startswith(f"v1.{keyring.current}.") for each in kept)
    assert [signing.opened(keyring, UUID(webhook["webhook_id"]), each) for each in kept] == [rotated, webhook["secret"]]
    async with empty_database.transaction() as connection:
        clear = {"new": rotated, "old": webhook["secret"]}
        await connection.execute(text("UPDATE webhooks SET secret = :new, previous_secret = :old"), clear)
    await Resealer(empty_database, sealed.COLUMNS).look()
    again = await _secrets(empty_database)
    assert [signing.opened(keyring, UUID(webhook["webhook_id"]), each) for each in again] == list(clear.values())
    assert not {*again} & {*clear.values()}


async def _secrets(database: Database) -> list[str]:
    """Return the secret and the one before it, as they are stored."""
    async with database.reading() as connection:
        return list((await connection.execute(text("SELECT secret, previous_secret FROM webhooks"))).one())


async def test_others_do_not_find_it(portal: Portal, receiver: Receiver, app: FastAPI, issuer: Issuer) -> None:
    webhook = await subscribe(portal, receiver)
    place = f"/v1/webhooks/{webhook['webhook_id']}"
    async with calling(app, issuer, client_id="another-portal") as other:
        assert (await other.get("/v1/webhooks")).json()["items"] == []
        for method, path in (
            ("GET", place),
            ("PATCH", place),
            ("DELETE", place),
            ("POST", f"{place}/test"),
            ("GET", f"{place}/deliveries"),
            ("POST", f"{place}/deliveries/{uuid4()}/redelivery"),
        ):
            answer = await other.request(method, path, json={} if method == "PATCH" else None)
            assert (answer.status_code, answer.json()["code"]) == (404, "webhook_not_found"), path
    assert (await shown(portal, webhook))["version"] == 1


async def test_it_is_changed_by_who_has_read_it_last(portal: Portal, receiver: Receiver) -> None:
    webhook = await subscribe(portal, receiver)
    place = f"/v1/webhooks/{webhook['webhook_id']}"
    etag = (await portal.client.get(place)).headers["etag"]
    changed = await portal.client.patch(place, json={"events": ["claim.*"]}, headers={"if-match": etag})
    assert (changed.status_code, changed.json()["events"], changed.json()["url"]) == (200, ["claim.*"], webhook["url"])
    for stale in (
        await portal.client.patch(place, json={"events": []}, headers={"if-match": etag}),
        await portal.client.delete(place, headers={"if-match": etag}),
    ):
        assert (stale.status_code, stale.json()["code"]) == (412, "stale")
    assert (await portal.client.delete(place)).status_code == 204
    assert (await portal.client.get(place)).status_code == 404


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://10.0.0.1/", "webhook_address_refused"),
        ("http://1.1.1.1/", "webhook_address_refused"),
        ("https://nowhere.invalid/", "webhook_host_unknown"),
        ("ftp://example.com/", "validation_failed"),
        ("https://me:secret@example.com/", "validation_failed"),
    ],
)
async def test_where_it_may_not_lead_is_refused_when_it_is_made_and_changed(
    portal: Portal, receiver: Receiver, url: str, code: str
) -> None:
    refused = await post(portal, "/v1/webhooks", {"url": url})
    assert (refused.status_code, refused.json()["code"], refused.json()["pointer"]) == (422, code, "/url")
    assert "10.0.0.1" not in refused.json()["detail"]
    webhook = await subscribe(portal, receiver)
    changed = await portal.client.patch(f"/v1/webhooks/{webhook['webhook_id']}", json={"url": url})
    assert (changed.status_code, changed.json()["code"]) == (422, code)


@pytest.mark.parametrize("events", [["Award.issued"], ["award"], ["*"], [""], ["a.b"] * 51, ["award.issued\0"]])
async def test_types_that_can_not_be_are_refused(portal: Portal, events: list[str]) -> None:
    assert (await post(portal, "/v1/webhooks", {"url": URL, "events": events})).status_code == 422


async def test_a_client_has_so_many_and_no_more(portal: Portal, app: FastAPI, issuer: Issuer) -> None:
    for _ in range(MOST_OF_CLIENT):
        assert (await post(portal, "/v1/webhooks", {"url": URL})).status_code == 201
    refused = await post(portal, "/v1/webhooks", {"url": URL})
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_webhooks")
    async with calling(app, issuer, client_id="another-portal") as other:
        made = await other.post("/v1/webhooks", json={"url": URL}, headers={"idempotency-key": str(uuid4())})
        assert made.status_code == 201


async def test_one_that_was_switched_off_takes_no_test_until_it_is_on(portal: Portal, receiver: Receiver) -> None:
    webhook = await subscribe(portal, receiver)
    place = f"/v1/webhooks/{webhook['webhook_id']}"
    off = await portal.client.patch(place, json={"enabled": False})
    assert (off.json()["status"], off.json()["disabled_because"]) == ("disabled", "client")
    assert (await post(portal, f"{place}/test")).json()["code"] == "webhook_disabled"
    await portal.client.patch(place, json={"enabled": True})
    assert (await post(portal, f"{place}/test")).status_code == 202


async def test_deliveries_are_listed_the_latest_first_by_pages(portal: Portal, receiver: Receiver) -> None:
    webhook = await subscribe(portal, receiver)
    place = f"/v1/webhooks/{webhook['webhook_id']}"
    made = [(await post(portal, f"{place}/test")).json()["delivery_id"] for _ in range(5)]
    found: list[str] = []
    cursor = ""
    for _ in range(3):
        page = (await portal.client.get(f"{place}/deliveries?limit=2{cursor}")).json()
        found += [one["delivery_id"] for one in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert (found, page["next_cursor"]) == (made[::-1], None)
    assert await deliveries(portal, webhook, "?status=delivered") == []
    missing = await post(portal, f"{place}/deliveries/{uuid4()}/redelivery")
    assert (missing.status_code, missing.json()["code"]) == (404, "delivery_not_found")


async def test_a_webhook_takes_its_deliveries_with_it(
    portal: Portal, receiver: Receiver, empty_database: Database
) -> None:
    webhook = await subscribe(portal, receiver)
    place = f"/v1/webhooks/{webhook['webhook_id']}"
    await post(portal, f"{place}/test")
    assert (await portal.client.delete(place)).status_code == 204
    async with empty_database.reading() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM deliveries"))).scalar_one() == 0
