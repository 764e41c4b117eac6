"""The short way gives what the long way gives, for good input and for bad; whoever goes away, what it sent is kept."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY

from intake import shortcut, tables
from kit.idempotency import Answer
from kit.shortcuts import Headers, Shortcuts
from tests.intake.conftest import calling
from tests.intake.scenes import Portal, application
from tests.kit.conftest import eventually
from tests.kit.issuer import Issuer, bearing
from tests.kit.serving import calling as lines
from tests.kit.serving import head, serving

OF_THE_MOMENT = ("application_id", "number", "created_at", "submitted_at", "updated_at", "waiting_for")


class Counted:
    """The shortcut, which counts what it answered and what it left to the route."""

    def __init__(self, app: FastAPI) -> None:
        self.answered = self.left = 0
        self._shortcuts: Shortcuts = app.state.shortcuts
        self._way = self._shortcuts._known["POST", shortcut.PATH]
        self._shortcuts.add("POST", shortcut.PATH, self._take)

    async def _take(self, path: str, headers: Headers, body: bytes) -> Answer | None:
        answer: Answer | None = await self._way(path, headers, body)
        self.answered += answer is not None
        self.left += answer is None
        return answer

    def close(self) -> None:
        """Let all take the long way from now on."""
        del self._shortcuts._known["POST", shortcut.PATH]


@pytest.fixture
def way(app: FastAPI) -> Counted:
    return Counted(app)


def good_bodies() -> list[bytes]:
    plain = application()
    spaced = application(**{"applicant.name": "  测试公司  ", "applicant.uscc": "91440300708461136t"})
    escaped = json.dumps(application(**{"applicant.name": "é\\ \u2028 \U0001f600"}), ensure_ascii=True)
    twice = json.dumps(plain).replace('"submit": true', '"submit": false, "submit": true')
    odd = application(**{"request.details": {"a": [1, 2.5, 2**53 - 1, None, True, "x"], "b": {"c": {}}}})
    lax = application(**{"applicant.registered_on": "2024-05-06T00:00:00"})
    bare = {name: part for name, part in plain.items() if name != "documents"}
    del bare["applicant"]["contact"]
    texts = [json.dumps(each) for each in (plain, spaced, odd, lax, bare, application(submit=False))]
    return [text.encode() for text in (*texts, escaped, twice, f"\n\t {json.dumps(plain)} \r\n")]


def bad_bodies() -> list[bytes]:
    changes: list[dict[str, Any]] = [
        {"applicant.uscc": "91440300708461136X"},
        {"applicant.uscc": "short"},
        {"applicant.headcount": "12"},
        {"applicant.headcount": 1.5},
        {"applicant.name": "a\0b"},
        {"request.details": {"a\0": 1}},
        {"request.money.amount": 0},
        {"request.contract.ends_on": "2000-01-01"},
        {"unknown": 1},
        {"documents": ["x"]},
        {"scheme": "UPPER"},
    ]
    good = json.dumps(application())
    return [
        *(json.dumps(application(**change)).encode() for change in changes),
        *(b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", good.replace("测", "\\ud800").encode()[:-1], b"[" * 5_000),
        good.replace('"submit": true', '"submit": tru').encode(),
        json.dumps(application(**{"applicant.name": "\ud800"})).encode(),
    ]


async def post(client: httpx.AsyncClient, body: bytes, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    usual = {"content-type": "application/json", "idempotency-key": str(uuid4()), "accept-language": "en"}
    sent = {name: value for name, value in (usual | named).items() if value}
    return await client.post("/v1/applications", content=body, headers=sent)


async def test_good_input_gets_the_same_either_way(portal: Portal, way: Counted) -> None:
    bodies = good_bodies()
    await portal.client.get("/v1/applications")  # from now on its token is known
    short = [await post(portal.client, body) for body in bodies]
    assert (way.answered, way.left) == (len(bodies), 0)
    way.close()
    long = [await post(portal.client, body) for body in bodies]
    for one, other in zip(short, long, strict=True):
        assert (one.status_code, other.status_code) == (201, 201)
        assert [*one.headers] == [*other.headers]
        assert without(one.json()) == without(other.json())


def without(shown: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if name not in OF_THE_MOMENT}


async def test_bad_input_is_told_the_same_either_way(portal: Portal, way: Counted) -> None:
    bodies = bad_bodies()
    await portal.client.get("/v1/applications")
    short = [await post(portal.client, body) for body in bodies]
    assert way.answered == 0  # some are refused before anybody looks for a way
    assert way.left > 0
    way.close()
    long = [await post(portal.client, body) for body in bodies]
    assert [(one.status_code, one.headers, one.content) for one in short] == [
        (other.status_code, other.headers, other.content) for other in long
    ]
    assert {one.status_code for one in short} <= {400, 422}


async def test_an_answer_is_repeated_to_the_byte_whichever_way_was_taken(portal: Portal, way: Counted) -> None:
    body = json.dumps(application()).encode()
    first = await post(portal.client, body, idempotency_key="k1")
    again = await post(portal.client, body, idempotency_key="k1")
    way.close()
    long = await post(portal.client, body, idempotency_key="k1")
    assert first.content == again.content == long.content
    assert first.headers == again.headers == long.headers


async def test_who_is_not_let_in_is_told_so_by_the_route(app: FastAPI, way: Counted, issuer: Issuer) -> None:
    body = json.dumps(application()).encode()
    for scope, headers, code in (
        ("portal", {}, "token_missing"),
        ("portal", {"authorization": "Bearer nonsense"}, "token_invalid"),
        ("officer", {}, "scope_missing"),
        ("portal", {"idempotency_key": ""}, "idempotency_key_missing"),
        ("portal", {"idempotency_key": "k" * 201}, "validation_failed"),
    ):
        async with calling(app, issuer, scope) as client:
            if code == "token_missing":
                client.headers.pop("authorization")
            assert (await post(client, body, **headers)).json()["code"] == code
    assert way.answered == 0


def accepted() -> float:
    counted = {"method": "POST", "route": "/v1/applications", "status": "201"}
    return REGISTRY.get_sample_value("http_requests_total", counted) or 0.0


async def test_it_is_counted_the_same_either_way(portal: Portal, way: Counted) -> None:
    await portal.client.get("/v1/applications")
    before = accepted()
    await portal.apply()
    assert (way.answered, accepted()) == (1, before + 1)
    way.close()
    await portal.apply()
    assert accepted() == before + 2


async def test_a_refusal_of_the_rules_is_told_the_same_either_way(portal: Portal, way: Counted) -> None:
    body = json.dumps(application(**{"applicant.district": "nowhere"})).encode()
    short = await post(portal.client, body)
    way.close()
    long = await post(portal.client, body)
    assert short.json()["code"] == "unknown_district"
    assert (short.status_code, short.headers, short.content) == (long.status_code, long.headers, long.content)


async def test_what_was_sent_is_kept_when_its_caller_hangs_up_or_never_reads(
    app: FastAPI, portal: Portal, issuer: Issuer
) -> None:
    token = bearing(issuer, "portal")["authorization"]
    body = json.dumps(application()).encode()
    async with serving(app) as port, lines(port) as open_line:
        for number in range(20):
            line = await open_line()
            line.stop_reading()
            await line.send(
                head("/v1/applications", len(body), authorization=token, idempotency_key=f"k{number}") + body
            )
            if number % 2:
                line.hang_up()

        async def all_kept() -> bool:
            return await portal.count(tables.applications) == 20

        await eventually(all_kept)
        async with calling(app, issuer) as client:
            again = await asyncio.gather(*[post(client, body, idempotency_key=f"k{number}") for number in range(20)])
        assert {answer.status_code for answer in again} == {201}
        assert await portal.count(tables.applications) == 20
