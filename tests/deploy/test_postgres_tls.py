"""The variables with which the cnpg component asks for TLS: our connections obey them, and believe no other authority.

The local PostgreSQL speaks no TLS, so a door in front of it does: TLS is real, and so is what is behind it.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from kit.database import Database
from stack.postgres import Postgres
from tests.deploy.manifests import container, named, overlay
from tests.deploy.secured_kafka import write_certificates

SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")
"""What a client asks first: "PostgreSQL: Frontend/Backend Protocol", SSLRequest."""


@asynccontextmanager
async def door(postgres: Postgres, key_file: Path) -> AsyncIterator[int]:
    """Listen with TLS in front of PostgreSQL; whoever does not ask for it is turned away."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(key_file)

    async def enter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if await reader.readexactly(len(SSL_REQUEST)) != SSL_REQUEST:
                return
            writer.write(b"S")
            await writer.drain()
            await writer.start_tls(context)
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", postgres.port)
            await asyncio.gather(_pass(reader, inner_writer), _pass(inner_reader, writer))
        except (OSError, EOFError, ssl.SSLError):
            pass  # the client hung up, as it should where it does not believe us
        finally:
            writer.close()

    async with await asyncio.start_server(enter, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def ask(url: str) -> object:
    database = Database(url, name="test", connect_seconds=5.0)
    try:
        async with database.reading() as connection:
            return (await connection.execute(text("SELECT 1"))).scalar_one()
    finally:
        await database.close()


@pytest.fixture
def variables() -> dict[str, str]:
    """What the manifests set."""
    found = container(named(overlay("prod"), "Deployment", "intake-worker"))["env"]
    return {each["name"]: each["value"] for each in found if each["name"].startswith("PG")}


async def test_a_connection_is_encrypted_and_the_server_is_verified(
    postgres: Postgres, variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_certificates(tmp_path / "ca.crt", tmp_path / "server.pem")
    assert variables.keys() == {"PGSSLMODE", "PGSSLROOTCERT"}
    monkeypatch.setenv("PGSSLMODE", variables["PGSSLMODE"])
    monkeypatch.setenv("PGSSLROOTCERT", str(tmp_path / "ca.crt"))
    async with door(postgres, tmp_path / "server.pem") as port:
        url = postgres.dsn("intake").replace(f"127.0.0.1:{postgres.port}", f"localhost:{port}")
        assert await ask(url) == 1
        write_certificates(tmp_path / "other.crt", tmp_path / "other.pem")
        monkeypatch.setenv("PGSSLROOTCERT", str(tmp_path / "other.crt"))
        with pytest.raises((ssl.SSLError, SQLAlchemyError)) as refused:
            await ask(url)
        assert "CERTIFICATE_VERIFY_FAILED" in str(refused.value)


async def test_a_server_without_encryption_is_refused(
    postgres: Postgres, variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_certificates(tmp_path / "ca.crt", tmp_path / "server.pem")
    monkeypatch.setenv("PGSSLMODE", variables["PGSSLMODE"])
    monkeypatch.setenv("PGSSLROOTCERT", str(tmp_path / "ca.crt"))
    with pytest.raises((OSError, SQLAlchemyError), match=r"(?i)ssl"):
        await ask(postgres.dsn("intake"))
