"""``python -m benchmarks.peers.synchronous orm|tuned|unlocked|whole``: serve, with settings as a service has them.

The first three accept applications; ``whole`` is the monolith, on tables that ``office.create_tables`` has made.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import uvicorn
import uvloop
from fastapi import FastAPI
from pydantic_settings import SettingsConfigDict

from benchmarks.peers.synchronous import whole
from benchmarks.peers.synchronous.app import Store, create
from benchmarks.peers.synchronous.applying import try_again
from benchmarks.peers.synchronous.office import Office
from benchmarks.peers.synchronous.orm import Orm
from benchmarks.peers.synchronous.tuned import Tuned
from contracts.policy import Policy
from eligibility.settings import Settings as RegisterSettings
from kit import collector
from kit.access import Access
from kit.sealing import Keyring
from kit.service import http_config
from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Variables begin with ``PEER_``; there is no Kafka."""

    model_config = SettingsConfigDict(env_prefix="PEER_", extra="ignore")
    kafka_bootstrap: str = ""
    policies_dir: Path | None = None
    registers_url: str = ""
    register_answer_age_seconds: float = 300.0
    keyring_file: Path | None = None


async def open_store(kind: str, url: str) -> Store:
    """Return the store; policies never change while it runs, so they are read once."""
    connection = await asyncpg.connect(url)
    documents: list[Any] = [row[0] for row in await connection.fetch("SELECT policy FROM policies")]
    await connection.close()
    policies = {policy.scheme: policy for policy in (msgspec.json.decode(each, type=Policy) for each in documents)}
    if kind == "orm":
        return await Orm.open(url, policies)
    return await Tuned.open(url, policies, locked=kind == "tuned")


async def serve(kind: str, settings: Settings) -> None:
    store = await open_store(kind, settings.database_url)
    try:
        await _listen(settings, create(store, Access.of(settings)))
    finally:
        await store.close()


async def serve_whole(settings: Settings) -> None:
    assert settings.policies_dir is not None, "PEER_POLICIES_DIR names the policy documents"
    assert settings.keyring_file is not None, "PEER_KEYRING_FILE names the keys"
    registers = RegisterSettings(
        database_url=settings.database_url,
        kafka_bootstrap="",
        policies_dir=settings.policies_dir,
        registers_url=settings.registers_url,
        register_answer_age_seconds=settings.register_answer_age_seconds,
        keyring_file=settings.keyring_file,
    )
    keyring = Keyring.read(settings.keyring_file, "PEER_KEYRING_FILE")
    office = await Office.open(settings.database_url, settings.policies_dir, registers, keyring)
    stop = asyncio.Event()
    trying = asyncio.create_task(try_again(office, stop))
    try:
        await _listen(settings, whole.create(office, Access.of(settings)))
    finally:
        stop.set()
        await trying
        await office.close()


async def _listen(settings: Settings, app: FastAPI) -> None:
    config = http_config(app)
    config.host, config.port = settings.http_host, settings.http_port
    collector.calm()
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    wanted = sys.argv[1]
    uvloop.run(serve_whole(Settings()) if wanted == "whole" else serve(wanted, Settings()))  # it reads the environment
