"""Intake's benchmark runs from end to end; its peer does what ours does, for all that it covers."""

import asyncio
import sys
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import msgspec
import pytest

from benchmarks.harness import results
from benchmarks.intake import databases, traffic
from benchmarks.peers.synchronous.app import Store, create
from benchmarks.peers.synchronous.orm import Orm
from benchmarks.peers.synchronous.tuned import Tuned
from contracts.codec import decode
from contracts.events import ApplicationSubmitted
from kit.sealing import Keyring
from stack.postgres import Postgres
from tests.kit.issuer import Issuer, access_of, bearing

ROOT = Path(__file__).parents[2]
RATIOS = ("vs_synchronous", "vs_tuned", "vs_tuned_unlocked", "vs_http_floor", "vs_own_floor")
SIDES = ("ours", "synchronous", "tuned", "unlocked", "http_floor", "own_floor")
KINDS = ("by id", "first page", "deep page", "applicant", "scheme", "status", "submitted from", "all of them")

_numbers = count()


async def test_a_quick_run_writes_every_ratio_and_figure_and_its_plot(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "benchmarks", "intake", "--quick", "--results", str(tmp_path))
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
    assert await process.wait() == 0
    found = results.read(tmp_path / "intake.json")
    assert found.ratios.keys() == {"reads_10k_to_2m", *RATIOS, *(f"{name}_2" for name in RATIOS)}
    for processes in ("1 process", "2 processes"):
        for side in SIDES:
            figure = found.figures[f"accepts, {processes}/{side}"]
            assert figure["median"] > 0
            assert {"callers", "postgres"} < figure["cpu_seconds_per_1000"].keys()
        for side in ("ours", "ours at the synchronous one's", "synchronous", "tuned", "unlocked"):
            latencies = found.figures[f"half load, {processes}/{side}"]
            assert 0 < latencies["p50_ms"] <= latencies["p99_ms"] <= latencies["max_ms"]
    for past in ("short", "long"):
        assert all(found.figures[f"reads, a {past} past/{kind}"]["median"] > 0 for kind in KINDS)
    assert found.figures["written by pgbench/1"]["median"] > 0
    assert found.figures["written by pgbench/100"]["median"] > 0
    assert found.machine["fsync"] == found.machine["synchronous_commit"] == "on"
    assert "<svg" in (tmp_path / "intake.svg").read_text(encoding="utf-8")


class Peer:
    """The peer's application, called without a socket, and its database."""

    def __init__(self, store: Store, client: httpx.AsyncClient, connection: "asyncpg.Connection[Any]") -> None:
        self.store, self.client, self.connection = store, client, connection

    async def send(self, key: str | None = None, body: bytes | None = None) -> httpx.Response:
        headers = {"idempotency-key": key or str(uuid4()), "content-type": "application/json"}
        content = traffic.applications()[0] if body is None else body
        return await self.client.post("/v1/applications", content=content, headers=headers)


@pytest.fixture(params=["orm", "tuned", "unlocked"])
async def peer(request: pytest.FixtureRequest, postgres: Postgres) -> AsyncIterator[Peer]:
    name = f"bench_peer_{next(_numbers)}"
    await databases.create_base(postgres, name, Keyring.fresh())
    dsn = postgres.superuser_dsn(name)
    await databases.add_counters(dsn)
    policies = {policy.scheme: policy for policy in traffic.policies()}
    store: Store
    if request.param == "orm":
        store = await Orm.open(dsn, policies)
    else:
        store = await Tuned.open(dsn, policies, locked=request.param == "tuned")
    issuer = Issuer()
    issuer.come()
    connection = await asyncpg.connect(dsn)
    transport = httpx.ASGITransport(create(store, access_of(issuer)))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://peer", headers=bearing(issuer, "portal")
    ) as client:
        yield Peer(store, client, connection)
    await connection.close()
    await store.close()
    await issuer.go()


async def test_the_peer_keeps_and_tells_what_it_accepts(peer: Peer) -> None:
    answer = await peer.send()
    shown = answer.json()
    assert (answer.status_code, shown["status"], shown["version"]) == (201, "submitted", 2)
    assert answer.headers["location"] == f"/v1/applications/{shown['application_id']}"
    assert shown["waiting_for"]["due"] is not None
    [told] = await peer.connection.fetch("SELECT type, data, key FROM outbox")
    event = decode(told["type"], told["data"])
    assert isinstance(event, ApplicationSubmitted)
    assert (str(event.application_id), event.number, told["key"]) == (
        shown["application_id"],
        shown["number"],
        shown["applicant"]["uscc"],
    )
    rows = await peer.connection.fetch("SELECT a.number FROM applications AS a JOIN timeline USING (application_id)")
    assert [row["number"] for row in rows] == [shown["number"]]


async def test_the_peer_answers_the_same_key_once_however_many_race(peer: Peer) -> None:
    answers = await asyncio.gather(*[peer.send("k1") for _ in range(24)])
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    other = await peer.send("k1", traffic.applications()[1])
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert await peer.connection.fetchval("SELECT count(*) FROM applications") == 1


async def test_the_peers_numbers_are_all_different(peer: Peer) -> None:
    answers = await asyncio.gather(*[peer.send() for _ in range(40)])
    assert len({answer.json()["number"] for answer in answers}) == 40


async def test_the_peer_refuses_what_ours_refuses(peer: Peer) -> None:
    good = msgspec.json.decode(traffic.applications()[0])
    asked = good["request"] | {"contract": None}
    district = good["applicant"] | {"district": "nowhere"}
    for changes, status, code in (
        ({"request": asked}, 422, "contract_missing"),
        ({"applicant": district}, 422, "unknown_district"),
        ({"scheme": "unheard-of"}, 422, "unknown_scheme"),
        ({"more": 1}, 422, "validation_failed"),
    ):
        answer = await peer.send(body=msgspec.json.encode(good | changes))
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    peer.client.headers["authorization"] = "Bearer nonsense"
    assert (await peer.send()).status_code == 401
    assert await peer.connection.fetchval("SELECT count(*) FROM outbox") == 0
