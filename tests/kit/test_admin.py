"""The admin calls as an operator makes them, over HTTP: what is parked, redrive, discard, audit, lag."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from kit import admin
from kit.database import Database
from kit.http import create_app
from kit.kafka import partition_of
from kit.lag import Lags
from kit.redrive import Redrive
from stack.kafka import Kafka
from stack.ports import free_ports
from tests.kit.broker import send
from tests.kit.conftest import TOPIC, company, eventually
from tests.kit.echo import Echo, consumer_of, running
from tests.kit.issuer import Issuer, access_of, bearing
from tests.kit.test_parking import broken, handled, records, told

WHO = {"who": "li.wei", "why": "OPS-12"}


@pytest.fixture
def echo() -> Echo:
    return Echo()


@asynccontextmanager
async def client_of(database: Database, bootstrap: str, group: str, echo: Echo) -> AsyncIterator[httpx.AsyncClient]:
    """Call as an operator whose token says who it is."""
    issuer = Issuer()
    issuer.come()
    app = create_app(service="test", title="Test", description="A test", trouble={})
    redrive = Redrive(database, group=group, handle=echo.handle)
    app.include_router(admin.router(redrive, Lags(database, bootstrap, group=group, topics=[TOPIC]), access_of(issuer)))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"accept-language": "en", **bearing(issuer, "ops", sub=WHO["who"])}
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
        yield client
    await issuer.go()


@pytest.fixture
async def client(database: Database, kafka: Kafka, group: str, echo: Echo) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(database, kafka.bootstrap, group, echo) as found:
        yield found


async def park(database: Database, kafka: Kafka, group: str, echo: Echo, key: str) -> None:
    """Send five events of which the second is refused, and wait until the other three wait behind it."""
    echo.refused = {"1"}
    async with running(consumer_of(database, kafka.bootstrap, group, echo)):
        await send(kafka.bootstrap, records(key, 5))
        redrive = Redrive(database, group=group, handle=echo.handle)

        async def four_wait() -> bool:
            return len(await redrive.show(TOPIC, key)) == 4

        await eventually(four_wait)


async def test_what_is_parked_is_shown_redriven_and_kept_in_the_audit(
    client: httpx.AsyncClient, database: Database, kafka: Kafka, group: str, echo: Echo
) -> None:
    key = company()
    await park(database, kafka, group, echo, key)
    [held] = (await client.get("/admin/parked", params={"topic": TOPIC})).json()["items"]
    assert (held["key"], held["family"], held["events"]) == (key, "refused", 4)
    assert held["reason"] == "1 may never be"
    assert (await client.get("/admin/parked", params={"topic": "intake.applications"})).json()["items"] == []

    shown = (await client.get("/admin/parked/events", params={"topic": TOPIC, "key": key})).json()["items"]
    assert [event["value"]["reason"] for event in shown] == ["1", "2", "3", "4"]
    assert shown[0]["headers"]["ce_type"] == "drawdown.recovery.demanded.v1"
    assert (shown[0]["attempts"], shown[1]["family"]) == (1, "behind")

    one: dict[str, Any] = {"topic": TOPIC, "key": key, **WHO}
    dry = (await client.post("/admin/parked/redrive", json=one)).json()
    assert (dry["dry_run"], dry["items"][0]["stopped_by"]) == (True, "1 may never be")
    echo.refused = set()
    assert (await client.post("/admin/parked/redrive", json=one)).json()["items"][0]["handled"] == 4
    assert await handled(database, key) == [0], "a dry run leaves everything as it was"
    everything = {"all": True, "dry_run": False, **WHO}
    [done] = (await client.post("/admin/parked/redrive", json=everything)).json()["items"]
    assert (done["handled"], done["left"]) == (4, 0)
    await eventually(told(database, [key], 5))

    [entry] = (await client.get("/admin/parked/audit")).json()["items"]
    assert (entry["who"], entry["why"], entry["action"], entry["handled"]) == ("li.wei", "OPS-12", "redrive", 4)


async def test_a_discarded_event_frees_those_behind_it(
    client: httpx.AsyncClient, database: Database, kafka: Kafka, group: str, echo: Echo
) -> None:
    key = company()
    await park(database, kafka, group, echo, key)
    first = (await client.get("/admin/parked/events", params={"topic": TOPIC, "key": key})).json()["items"][0]
    gone = await client.post("/admin/parked/discard", json={"id": first["id"], **WHO})
    assert (gone.json()["state"], gone.json()["offset"]) == ("discarded", first["offset"])
    again = await client.post("/admin/parked/discard", json={"id": first["id"], **WHO})
    assert (again.status_code, again.json()["code"]) == (404, "not_parked")
    one = {"topic": TOPIC, "key": key, "dry_run": False, **WHO}
    assert (await client.post("/admin/parked/redrive", json=one)).json()["items"][0]["handled"] == 3
    assert await handled(database, key) == [0, 2, 3, 4]
    actions = [entry["action"] for entry in (await client.get("/admin/parked/audit")).json()["items"]]
    assert actions == ["redrive", "discard"]


async def test_an_operator_shows_a_token_and_who_signs_for_somebody_else_is_told_with_it(
    client: httpx.AsyncClient, database: Database, kafka: Kafka, group: str, echo: Echo
) -> None:
    strangers = {"authorization": ""}, {"authorization": "Bearer nonsense"}
    for path in ("/admin/parked", "/admin/parked/audit", "/admin/lag"):
        answers = [await client.get(path, headers=headers) for headers in strangers]
        assert [answer.json()["code"] for answer in answers] == ["token_missing", "token_invalid"]
    for path in ("redrive", "discard"):
        refused = await client.post(f"/admin/parked/{path}", json={}, headers=strangers[0])
        assert (refused.status_code, refused.json()["code"]) == (401, "token_missing")
    key = company()
    await park(database, kafka, group, echo, key)
    echo.refused = set()
    body = {"topic": TOPIC, "key": key, "dry_run": False, "who": "anna", "why": "OPS-13"}
    assert (await client.post("/admin/parked/redrive", json=body)).json()["items"][0]["handled"] == 4
    [entry] = (await client.get("/admin/parked/audit")).json()["items"]
    assert entry["who"] == "anna (token of li.wei)"


async def test_what_is_no_json_is_shown_as_text(
    client: httpx.AsyncClient, database: Database, kafka: Kafka, group: str, echo: Echo
) -> None:
    odd, empty = company(), company()
    async with running(consumer_of(database, kafka.bootstrap, group, echo)):
        poison = [broken(records(odd, 1)[0], value=b'{"half": \xff'), broken(records(empty, 1)[0], value=None)]
        await send(kafka.bootstrap, poison)

        async def both() -> bool:
            return len((await client.get("/admin/parked")).json()["items"]) == 2

        await eventually(both)
    [shown] = (await client.get("/admin/parked/events", params={"topic": TOPIC, "key": odd})).json()["items"]
    assert shown["value"] == '{"half": \ufffd'
    [shown] = (await client.get("/admin/parked/events", params={"topic": TOPIC, "key": empty})).json()["items"]
    assert shown["value"] is None


async def test_the_lag_is_what_the_group_has_not_handled_yet(
    client: httpx.AsyncClient, database: Database, kafka: Kafka, group: str, echo: Echo
) -> None:
    key = company()
    await send(kafka.bootstrap, records(key, 7))
    before = (await client.get("/admin/lag")).json()
    assert (before["group"], before["lag"]) == (group, 7)
    [behind] = [item for item in before["items"] if item["lag"]]
    assert behind["partition"] == partition_of(key.encode(), 12)
    assert behind["end_offset"] - behind["next_offset"] == 7
    async with running(consumer_of(database, kafka.bootstrap, group, echo)):
        await eventually(told(database, [key], 7))
    assert (await client.get("/admin/lag")).json()["lag"] == 0


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"topic": TOPIC, **WHO}, ""),
        ({**WHO}, ""),
        ({"topic": TOPIC, "key": "x", "all": True, **WHO}, ""),
        ({"all": True, "who": "", "why": "x"}, "/who"),
        ({"all": True, "who": "x"}, "/why"),
    ],
)
async def test_a_redrive_without_its_particulars_is_refused(
    client: httpx.AsyncClient, body: dict[str, Any], pointer: str
) -> None:
    answer = await client.post("/admin/parked/redrive", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert answer.json()["pointer"] == pointer


async def test_a_key_that_is_not_held_is_not_found(client: httpx.AsyncClient) -> None:
    shown = await client.get("/admin/parked/events", params={"topic": TOPIC, "key": "nobody"})
    tried = await client.post("/admin/parked/redrive", json={"topic": TOPIC, "key": "nobody", **WHO})
    assert [answer.json()["code"] for answer in (shown, tried)] == ["not_parked", "not_parked"]


async def test_without_kafka_the_lag_is_unavailable(database: Database, group: str, echo: Echo) -> None:
    [nobody_listens] = free_ports(1)
    async with client_of(database, f"127.0.0.1:{nobody_listens}", group, echo) as client:
        answer = await client.get("/admin/lag")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
