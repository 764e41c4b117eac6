"""What no body may hold is refused before anything is parsed, with the field and the cure; nothing ends in a 500."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from kit.http import create_app


class Order(BaseModel):
    name: str
    more: Any = None


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(service="test", title="test", description="", trouble={})

    @app.post("/orders")
    async def create_order(body: Order) -> dict[str, Any]:
        return {"name": body.name, "more": body.more}

    @app.get("/orders/{name}")
    async def get_order(name: str, like: str = "") -> dict[str, str]:
        return {"name": name, "like": like}

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers={"accept-language": "en"}
    ) as found:
        yield found


async def sent(client: httpx.AsyncClient, body: bytes, **headers: str) -> httpx.Response:
    return await client.post("/orders", content=body, headers={"content-type": "application/json"} | headers)


DEEP = b'{"name": "a", "more": ' + b"[" * 40 + b"]" * 40 + b"}"


@pytest.mark.parametrize(
    ("body", "pointer", "kind", "says"),
    [
        (rb'{"name": "a\u0000b"}', "/name", "string_nul", "U+0000"),
        (rb'{"name": "a", "more": {"b~c/d": ["\u0000"]}}', "/more/b~0c~1d/0", "string_nul", "take it out"),
        (rb'{"name": "a", "more": {"\u0000": 1}}', "/more", "string_nul", "U+0000"),
        (rb'{"name": "\ud800"}', "/name", "string_surrogate", "surrogate"),
        (b'{"name": "a", "more": 1' + b"0" * 400 + b"}", "/more", "number_too_large", "9007199254740991"),
        (b'{"name": "a", "more": 1' + b"0" * 5000 + b"}", "/more", "number_too_large", "9007199254740991"),
        (b'{"name": "a", "more": -1e999}', "/more", "number_too_large", "9007199254740991"),
        (b'{"name": "a", "more": NaN}', "/more", "number_too_large", "9007199254740991"),
        (b'{"name": "a", "more": [9007199254740992]}', "/more/0", "number_too_large", "9007199254740991"),
        (DEEP, "", "nesting_too_deep", "32 levels"),
        (b"[" * 1_000_000, "", "nesting_too_deep", "32 levels"),
        (b'{"a":' * 200_000, "", "nesting_too_deep", "32 levels"),
    ],
)
async def test_what_nobody_should_parse_is_refused(
    client: httpx.AsyncClient, body: bytes, pointer: str, kind: str, says: str
) -> None:
    response = await sent(client, body)

    problem = response.json()
    assert (response.status_code, problem["code"], problem["title"]) == (
        422,
        "validation_failed",
        "The request is not valid",
    )
    assert (problem["pointer"], problem["errors"][0]["type"]) == (pointer, kind)
    assert says in problem["detail"]


@pytest.mark.parametrize(
    "more",
    [
        "a pair: \U0001f600",
        "6222000011112222333",
        9007199254740991,
        -9007199254740991,
        1.5e20 / 1e10,
        [[[1]]] * 40,
        "[[" * 99,
    ],
)
async def test_what_only_looks_like_it_is_taken(client: httpx.AsyncClient, more: Any) -> None:
    response = await sent(client, json.dumps({"name": "a", "more": more}).encode())

    assert (response.status_code, response.json()["more"]) == (200, more)


async def test_brackets_within_texts_do_not_count(client: httpx.AsyncClient) -> None:
    response = await sent(client, json.dumps({"name": '["\\' * 5000}).encode())

    assert response.status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"name": ', 400, "malformed_json"),
        (b"\xff\xfe", 400, "malformed_json"),
        (b"", 422, "validation_failed"),
        (b'{"name": 1}', 422, "validation_failed"),
    ],
)
async def test_what_is_no_json_is_said_to_be_that(
    client: httpx.AsyncClient, body: bytes, status: int, code: str
) -> None:
    response = await sent(client, body)

    assert (response.status_code, response.json()["code"]) == (status, code)


async def test_another_content_type_is_415_and_named(client: httpx.AsyncClient) -> None:
    response = await sent(client, b'{"name": "a"}', **{"content-type": "text/plain"})

    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")
    assert "application/json" in response.json()["detail"]


async def test_a_length_that_is_no_number_is_refused(client: httpx.AsyncClient) -> None:
    response = await sent(client, b"{}", **{"content-length": "ten"})

    assert (response.status_code, response.json()["code"]) == (400, "malformed_request")


@pytest.mark.parametrize("path", ["/orders/a%00b", "/orders/a?like=%00"])
async def test_no_address_holds_what_can_not_be_stored(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)

    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")
    assert "U+0000" in response.json()["detail"]


async def test_a_path_names_all_its_methods_in_allow(client: httpx.AsyncClient) -> None:
    response = await client.delete("/orders/a")

    assert (response.status_code, response.json()["code"], response.headers["allow"]) == (
        405,
        "method_not_allowed",
        "GET",
    )


async def test_the_texts_are_in_the_callers_language(client: httpx.AsyncClient) -> None:
    response = await client.post("/orders", json={}, headers={"accept-language": "zh-CN"})

    problem = response.json()
    assert (problem["title"], problem["errors"][0]["detail"]) == ("请求内容有误", "缺少此字段，请填写")
    assert response.headers["content-language"] == "zh-CN"
