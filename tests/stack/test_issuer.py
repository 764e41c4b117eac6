"""The local issuer: its tokens are taken by a service of the stack, its keys are made once and can change."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from joserfc import jws, jwt
from joserfc.jwk import KeySet
from starlette.applications import Starlette

from disbursement.settings import Settings
from kit.access import Access, Principal
from kit.http import create_app
from kit.settings import load_settings
from stack import apps, issuer
from stack.config import Config, Ports
from stack.home import Home
from stack.postgres import Postgres
from stack.simulators.__main__ import registers_app

NOW = datetime(2026, 3, 15, 8, 0, tzinfo=UTC)


def drawdown(home: Home, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from stack.cli import main; main()", *arguments]
    environment = {**os.environ, "DRAWDOWN_HOME": str(home.path)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def claims_of(home: Home, token: str) -> dict[str, Any]:
    """The claims, if one of the published keys signed them."""
    keys = KeySet.import_key_set(json.loads(home.jwks_file.read_text()))
    return jwt.decode(token, keys, algorithms=["ES256"]).claims


def key_names(home: Home) -> list[str]:
    return [key["kid"] for key in json.loads(home.jwks_file.read_text())["keys"]]


def signed_by(token: str) -> str:
    return str(jws.extract_compact(token.encode()).headers()["kid"])


def test_the_command_prints_one_token_while_nothing_runs(home: Home) -> None:
    done = drawdown(home, "token", "--scope", "finance", "--scope", "auditor", "--subject", "officer-2")
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)
    claims = claims_of(home, done.stdout.strip())
    assert (claims["sub"], claims["scope"]) == ("officer-2", "finance auditor")
    assert claims["exp"] - claims["nbf"] == 3600


def test_the_command_takes_a_new_key_and_keeps_the_old_one(home: Home) -> None:
    before = drawdown(home, "token").stdout.strip()
    after = drawdown(home, "token", "--rotate-keys", "--minutes", "5").stdout.strip()
    assert key_names(home) == [signed_by(before), signed_by(after)]
    assert claims_of(home, before)["sub"] == claims_of(home, after)["sub"] == "officer-1"
    assert signed_by(drawdown(home, "token").stdout.strip()) == signed_by(after)


@pytest.mark.parametrize("minutes", ["0", "1441", "soon"])
def test_a_token_is_for_a_minute_to_a_day(home: Home, minutes: str) -> None:
    done = drawdown(home, "token", "--minutes", minutes)
    assert (done.returncode, done.stdout) == (2, "")


def test_only_the_owner_reads_the_signing_key(home: Home) -> None:
    issuer.create_keys(home)
    assert home.signing_key_file.stat().st_mode & 0o777 == 0o600
    assert home.issuer.stat().st_mode & 0o777 == 0o700
    assert "d" not in json.loads(home.jwks_file.read_text())["keys"][0], "the public half only"


def test_keys_are_made_once(home: Home) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(issuer.create_keys, [home] * 8))
    assert len(key_names(home)) == 1


def test_time_can_be_handed_in(home: Home) -> None:
    token = issuer.mint(home, subject="x", scopes=["finance"], lifetime=timedelta(minutes=1), now=NOW)
    claims = claims_of(home, token)
    assert (claims["iat"], claims["exp"]) == (NOW.timestamp(), NOW.timestamp() + 60)


@asynccontextmanager
async def serving(app: Starlette, port: int) -> AsyncIterator[None]:
    with socket.create_server(("127.0.0.1", port)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        yield
        server.should_exit = True
        await task


def pay_office(access: Access) -> FastAPI:
    app = create_app(service="test", title="test", description="", trouble={})

    @app.get("/")
    async def pay(who: Annotated[Principal, access.principal("finance")]) -> list[str]:
        return [who.subject, who.client, *who.scopes]

    return app


async def test_a_service_of_the_stack_takes_its_tokens(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config(home=home, ports=Ports.free())
    outside = apps.simulators(config, "127.0.0.1:1")[0].command.env
    disbursement = apps.services(config, Postgres(home, config.ports.postgres), "127.0.0.1:1")[2].command.env
    for name, value in disbursement.items():
        monkeypatch.setenv(name, value)
    transport = httpx.ASGITransport(pay_office(Access.of(load_settings(Settings))))
    token = issuer.mint(home, subject="officer-1", scopes=["finance"])

    async with (
        serving(registers_app(outside), config.ports.registers),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        answer = await client.get("/", headers={"authorization": f"Bearer {token}"})
    assert answer.json() == ["officer-1", "drawdown", "finance"]
