"""Intake's tests: its real database, migrated once; its application called as the portal would, without a socket."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from intake import api, tables
from intake.commands import Command, apply
from intake.documents.scanning import Scanner
from intake.documents.store import DirectoryStore
from intake.main import application
from intake.push import api as push
from intake.push import commands as push_commands
from intake.push.guard import Guard, networks_of
from intake.push.hub import Hub
from kit import migrations
from kit.database import Database
from kit.groups import GroupedWriter
from kit.sealing import Keyring
from stack.postgres import Postgres
from tests.intake.scenes import Portal, publish_policy
from tests.kit.issuer import Issuer, access_of, bearing


@pytest.fixture(scope="session")
async def database(postgres: Postgres) -> AsyncIterator[Database]:
    await migrations.upgrade("intake", postgres.owner_dsn("intake"))
    database = Database(postgres.dsn("intake"), pool_size=6, keyring=Keyring.fresh())
    yield database
    await database.close()


@pytest.fixture
async def empty_database(database: Database) -> Database:
    """The database with nothing in it but the policy of the scenes."""
    names = [table.name for table in tables.metadata.sorted_tables if table.name != "relay"]
    async with database.transaction() as connection:
        for name in names:
            await connection.execute(text(f"DELETE FROM {name}"))
        await publish_policy(connection)
    return database


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    """Who gives tokens."""
    issuer = Issuer()
    issuer.come()
    yield issuer
    await issuer.go()


@pytest.fixture
async def app(empty_database: Database, tmp_path: Path, issuer: Issuer) -> AsyncIterator[FastAPI]:
    """The application with its writer running, as main wires it; documents are kept in a directory."""
    stop = asyncio.Event()
    writer: GroupedWriter[Command] = GroupedWriter(empty_database, apply)
    running = asyncio.create_task(writer.run(stop))
    store = DirectoryStore(tmp_path / "documents")
    webhooks: GroupedWriter[push_commands.Command] = GroupedWriter(empty_database, push_commands.apply)
    hub = Hub(empty_database, poll_seconds=0.02)
    loops = [asyncio.create_task(loop(stop)) for loop in (webhooks.run, hub.run)]
    guard, access = Guard(networks_of(["127.0.0.0/8"])), access_of(issuer)
    pushed = push.Parts(empty_database, webhooks, hub, guard, access)
    app = application(api.Parts(empty_database, writer, store, access=access), {}, pushed=pushed)
    yield app
    stop.set()
    await asyncio.gather(running, *loops)


@pytest.fixture
async def portal(app: FastAPI, empty_database: Database, issuer: Issuer) -> AsyncIterator[Portal]:
    async with calling(app, issuer) as client:
        yield Portal(client, empty_database, issuer)


def calling(app: FastAPI, issuer: Issuer, scope: str = "portal", **claims: Any) -> httpx.AsyncClient:
    """Return a client whose calls carry a token."""
    headers = bearing(issuer, scope, **claims)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://intake", headers=headers)


@pytest.fixture
async def scanned(empty_database: Database, tmp_path: Path, issuer: Issuer) -> AsyncIterator[Portal]:
    """A portal whose uploads are looked at by a program that knows one bad word."""
    stop = asyncio.Event()
    writer: GroupedWriter[Command] = GroupedWriter(empty_database, apply)
    running = asyncio.create_task(writer.run(stop))
    looks = "import sys; sys.exit(b'EICAR' in open(sys.argv[1], 'rb').read())"
    scanner = Scanner([sys.executable, "-c", looks], 30)
    store = DirectoryStore(tmp_path / "scanned")
    app = application(api.Parts(empty_database, writer, store, scanner, access_of(issuer)), {})
    async with calling(app, issuer) as client:
        yield Portal(client, empty_database, issuer)
    stop.set()
    await running
