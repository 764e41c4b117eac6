"""You are where a projection is built again from the topics, beside the one that runs, and put in its place.

A second process of the service reads everything from the beginning into a database of its own, under a consumer group
of its own. When it has caught up, the two databases change names: whoever runs goes on in the new one within a second.
Only for a service that decides nothing and whose every row comes from the topics.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx

from stack import events, health, issuer
from stack.config import policies_dir
from stack.errors import StackError
from stack.grants import grant_use, owner
from stack.home import Home
from stack.migrate import migrate
from stack.ports import LOOPBACK, free_ports
from stack.postgres import CONNECT_SECONDS, Postgres
from stack.processes import Child, Command
from stack.swap import as_superuser, create_beside, put_in_place

PROJECTIONS = ("metrics",)
READY_SECONDS = 60.0
POLL_SECONDS = 0.5
CAUGHT_UP_EVENTS = 500  # under load it is never quite there; whoever goes on in the new database reads the rest
ANSWER_SECONDS = 10.0

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Rebuilt:
    """What was built, and how its figures compare with those of the one that runs."""

    service: str
    database: str
    figures: Any
    running_figures: Any

    @property
    def same(self) -> bool:
        return bool(self.figures == self.running_figures)


class Replay:
    """One rebuild of one projection: `build`, then `swap` or `drop`."""

    def __init__(self, home: Home, service: str, tell: Tell) -> None:
        if service not in PROJECTIONS:
            raise StackError(f"{service} is no projection: only {', '.join(PROJECTIONS)} can be built from the topics")
        self._home = home
        self._service = service
        self._tell = tell
        self._postgres = Postgres(home, events.port(home, "postgres"))
        self._stamp = f"{datetime.now(UTC):%Y%m%d%H%M%S}"
        self.database = f"{service}_rebuilt_{self._stamp}"

    async def build(self) -> Rebuilt:
        """Read all topics into a new database; returns when it has caught up. Whatever fails, it is dropped again."""
        await self._create()
        try:
            return await self._fill()
        except BaseException:
            await self.drop()
            raise

    async def _create(self) -> None:
        self._tell(f"making {self.database}")
        await create_beside(self._postgres, self.database, self._service)
        connection = await asyncpg.connect(self._postgres.superuser_dsn(self.database), timeout=CONNECT_SECONDS)
        try:
            await grant_use(connection, self._service)
        finally:
            await connection.close()
        await migrate(self._command("migrate", {"MIGRATION_DATABASE_URL": self._own(owner(self._service))}))

    async def _fill(self) -> Rebuilt:
        [port] = free_ports(1)
        url = f"http://{LOOPBACK}:{port}"
        child = Child(self._command("run", {"HTTP_HOST": LOOPBACK, "HTTP_PORT": str(port)}))
        child.start()
        try:
            headers = issuer.at_hand(self._home, "ops")
            async with httpx.AsyncClient(trust_env=False, timeout=ANSWER_SECONDS, headers=headers) as client:
                await child.until(lambda: health.http_trouble(client, url), READY_SECONDS)
                await self._catch_up(client, url, child)
                new = await _figures(client, url)
                running = await _figures(client, events.address(self._home, self._service))
        finally:
            await child.stop()
        return Rebuilt(self._service, self.database, new, running)

    async def _catch_up(self, client: httpx.AsyncClient, url: str, child: Child) -> None:
        while (behind := await _behind(client, url)) > CAUGHT_UP_EVENTS:
            if not child.alive:
                raise StackError(f"{child.name} ended, exit code {child.exit_code}: see {child.command.log}")
            self._tell(f"{behind} events behind")
            await asyncio.sleep(POLL_SECONDS)

    def _command(self, verb: str, more: dict[str, str]) -> Command:
        name = f"{self._service}-rebuilt"
        own = {
            "DATABASE_URL": self._own(self._service),
            "KAFKA_BOOTSTRAP": events.bootstrap(self._home),
            "CONSUMER_GROUP": f"{self._service}-{self._stamp}",
            "PROGRAMME_FILE": str(policies_dir() / "programme.yaml"),
            "LOG_FORMAT": "json",
            **issuer.settings(events.port(self._home, "registers")),
            **more,
        }
        return Command(
            name=f"{name}-{verb}",
            argv=(sys.executable, "-m", self._service, verb),
            log=self._home.log(name),
            env=os.environ | {f"{self._service.upper()}_{key}": value for key, value in own.items()},
            cwd=self._home.path,
        )

    def _own(self, login: str) -> str:
        """The new database, by this login."""
        known = self._postgres.dsn(self._service) if login == self._service else self._postgres.owner_dsn(self._service)
        return f"{known.rpartition('/')[0]}/{self.database}"

    async def swap(self) -> str:
        """Put the new database in the old one's place; answers the old one's new name."""
        self._tell("changing places")
        before = f"{self._service}_before_{self._stamp}"
        await self._take_over_group()
        await put_in_place(self._postgres, self.database, self._service, before)
        return before

    async def _take_over_group(self) -> None:
        """Let the running group go on where the rebuild stopped.

        The epoch rises above any that was ever given: a process that still thinks that it owns a partition, with
        positions of the old database, is fenced and starts from the new one's.
        """
        connection = await asyncpg.connect(self._postgres.superuser_dsn(self.database), timeout=CONNECT_SECONDS)
        try:
            await connection.execute(
                "UPDATE consumer_offset SET consumer_group = $1, epoch = extract(epoch FROM now())::bigint",
                self._service,
            )
        finally:
            await connection.close()

    async def drop(self) -> None:
        """Take the new database away again."""
        await as_superuser(self._postgres, f"DROP DATABASE IF EXISTS {self.database} WITH (FORCE)")


async def _behind(client: httpx.AsyncClient, url: str) -> int:
    answer = await client.get(f"{url}/admin/lag")
    if answer.is_error:
        raise StackError(f"the rebuild does not answer at {url}: HTTP {answer.status_code}")
    return int(answer.json()["lag"])


async def _figures(client: httpx.AsyncClient, url: str) -> Any:
    """The pools' books, without the moment at which they were read."""
    answer = await client.get(f"{url}/v1/pools")
    if answer.is_error:
        raise StackError(f"no figures at {url}: HTTP {answer.status_code}")
    return answer.json()["items"]
