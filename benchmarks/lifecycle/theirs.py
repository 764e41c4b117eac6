"""Their side: the synchronous monolith on the same PostgreSQL, with the same registers, portal and bank."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date
from typing import Any, Final

import asyncpg
import httpx

from benchmarks.harness.cpu import Watch
from benchmarks.harness.remote import Remote
from benchmarks.harness.rounds import Run
from benchmarks.intake.servers import Server, running
from benchmarks.ledger.databases import create
from benchmarks.lifecycle.bank import Bank
from benchmarks.lifecycle.ours import CONNECTIONS, WrongError, balances, expected
from benchmarks.lifecycle.portal import Portal
from benchmarks.peers.synchronous import office
from stack import issuer
from stack.config import Config, policies_dir
from stack.demo import tokens_of
from stack.ports import LOOPBACK
from stack.supervisor import Stack

DATABASE: Final = "synchronous"
_REST_SECONDS: Final = 120.0
_GREETINGS: Final = 60
_GREETING_SECONDS: Final = 0.5
_LOOK_EVERY_SECONDS: Final = 0.02
_SETTLED: Final = "SELECT count(*) FROM payments WHERE status = 'settled'"


class Monolith:
    """Running processes of the monolith; ``urls`` has the first under each name that Drawdown has a service for."""

    def __init__(self, config: Config, servers: Sequence[Server], registers: str) -> None:
        self.config: Final = config
        self.servers = servers
        host, port = servers[0].address
        names = ("intake", "eligibility", "disbursement", "metrics")
        self.urls: Final = dict.fromkeys(names, f"http://{host}:{port}") | {"registers": registers}

    @classmethod
    @asynccontextmanager
    async def running(
        cls, stack: Stack, processes: int, more: Mapping[str, str] | None = None
    ) -> AsyncIterator["Monolith"]:
        """Run it beside a stack, with its PostgreSQL, registers and keys; ``create_database`` was called before."""
        config = stack.config
        settings = {
            "DATABASE_URL": stack.postgres.superuser_dsn(DATABASE),
            "POLICIES_DIR": str(config.policies or policies_dir()),
            "KEYRING_FILE": str(config.home.keyring_file),
            "REGISTERS_URL": f"http://{LOOPBACK}:{config.ports.registers}",
            "HTTP_HOST": LOOPBACK,
            **issuer.settings(config.ports.registers),
            **(more or {}),
        }
        log = config.home.log("synchronous")
        async with running(["benchmarks.peers.synchronous", "whole"], "PEER", settings, log, processes) as servers:
            yield cls(config, servers, stack.urls["registers"])


async def create_database(stack: Stack) -> None:
    """Create the monolith's database: its tables, the programme's pools."""
    await create(stack.postgres, DATABASE)
    programme = (stack.config.policies or policies_dir()) / "programme.yaml"
    await office.create_tables(stack.postgres.superuser_dsn(DATABASE), programme)


class Theirs:
    """Plays lives through the monolith's processes."""

    def __init__(
        self, stack: Stack, monolith: Monolith, portal: Remote, bank: Remote, database: "asyncpg.Connection[Any]"
    ) -> None:
        self._stack = stack
        self._monolith = monolith
        self.portal = portal
        self._bank = bank
        self._database = database

    @classmethod
    @asynccontextmanager
    async def open(cls, stack: Stack, processes: int) -> AsyncIterator["Theirs"]:
        """Give the side, its processes started, portal and bank connected."""
        tokens = tokens_of(stack.config.home)
        async with AsyncExitStack() as opened:
            monolith = await opened.enter_async_context(Monolith.running(stack, processes))
            portal = await opened.enter_async_context(Remote(Portal.open, tokens("portal", "portal"), False))
            finance = monolith.servers[-1].address, tokens("finance", "finance")
            await _greet(monolith.servers, finance[1])
            bank = await opened.enter_async_context(Remote(Bank.by_http, *finance))
            database = await asyncpg.connect(stack.postgres.superuser_dsn(DATABASE))
            opened.push_async_callback(database.close)
            await portal.call("connect", [server.address for server in monolith.servers], CONNECTIONS)
            yield cls(stack, monolith, portal, bank, database)

    async def play(self, first: int, count: int, today: date) -> Run:
        """Play so many lives to the maximum, until all is at rest; raise WrongError unless the books show them."""
        awarded, paid = await self.portal.call("prepare", first, count, today)
        before = await self._pool()
        settled = await self._database.fetchval(_SETTLED) + count
        watch = self._watch().start()
        began = time.perf_counter()
        await self.portal.call("play")
        await self._until_settled(settled)
        await self._get("/v1/figures")  # what metrics shows is computed when it is asked
        run = Run(count, time.perf_counter() - began, watch.stop())
        if (found := await self._pool()) != (wanted := expected(before, awarded, paid)):
            raise WrongError(f"the pool should be {wanted}; it is {found}")
        return run

    def _watch(self) -> Watch:
        servers = {f"synchronous-{number}": server.pid for number, server in enumerate(self._monolith.servers, 1)}
        running = {name: self._stack.components[name].child.identity for name in ("postgres", "registers")}
        shared = {name: identity.pid for name, identity in running.items() if identity is not None}
        return Watch(servers | shared | {"portal": self.portal.pid, "bank": self._bank.pid})

    async def _until_settled(self, settled: int) -> None:
        deadline = time.monotonic() + _REST_SECONDS
        while (found := await self._database.fetchval(_SETTLED)) < settled:
            if time.monotonic() > deadline:
                raise WrongError(f"{found} payments are settled, {settled} should be")
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    async def _pool(self) -> dict[str, int]:
        return balances((await self._get("/v1/pools"))["items"])

    async def _get(self, path: str) -> Any:
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.get(f"{self._monolith.urls['metrics']}{path}")).raise_for_status().json()


async def _greet(servers: Sequence[Server], token: str) -> None:
    """Ask each process for something until it has the issuer's keys."""
    async with httpx.AsyncClient(trust_env=False, headers={"authorization": f"Bearer {token}"}) as client:
        for server in servers:
            host, port = server.address
            for _ in range(_GREETINGS):
                if (await client.get(f"http://{host}:{port}/v1/payments?status=instructed")).is_success:
                    break
                await asyncio.sleep(_GREETING_SECONDS)
