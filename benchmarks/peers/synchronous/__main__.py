"""``python -m benchmarks.peers.synchronous orm|tuned|unlocked``: serve, with settings as a service has them."""

import sys
from typing import Any

import asyncpg
import msgspec
import uvicorn
import uvloop
from pydantic_settings import SettingsConfigDict

from benchmarks.peers.synchronous.app import Store, create
from benchmarks.peers.synchronous.orm import Orm
from benchmarks.peers.synchronous.tuned import Tuned
from contracts.policy import Policy
from kit import collector
from kit.access import Access
from kit.service import http_config
from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Variables begin with ``PEER_``; there is no Kafka."""

    model_config = SettingsConfigDict(env_prefix="PEER_", extra="ignore")
    kafka_bootstrap: str = ""


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
    config = http_config(create(store, Access.of(settings)))
    config.host, config.port = settings.http_host, settings.http_port
    collector.calm()
    try:
        await uvicorn.Server(config).serve()
    finally:
        await store.close()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], Settings()))  # it reads the environment
