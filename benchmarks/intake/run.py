"""The benchmark, part by part. What is compared runs in turns; what runs has its CPU seconds beside it."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import asyncpg
import msgspec

from benchmarks.harness import machine
from benchmarks.harness.openloop import Latencies
from benchmarks.harness.progress import say
from benchmarks.harness.remote import Remote
from benchmarks.harness.results import Ratio, Result
from benchmarks.harness.rounds import Run, Side, alternate, figure, median_rate, ratio
from benchmarks.intake import databases, issuer, pgbench, reading
from benchmarks.intake.load import Load
from benchmarks.intake.servers import Server, running
from benchmarks.intake.turns import CONNECTIONS, Turn
from kit.sealing import Keyring
from stack import keyring
from stack import postgres as cluster
from stack.home import Home, open_home
from stack.ports import free_ports
from stack.postgres import Postgres

_SETTINGS: Final = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers")
_TOKENS: Final = 8
PROCESSES: Final = 2
_READERS: Final = 4  # as many as the service has connections for them: none waits for another
_PGBENCH_ROWS: Final = (1, 100)
_RATIOS: Final = (
    (
        "vs_synchronous",
        "synchronous",
        "those of the usual design: SQLAlchemy's session and a row lock per request",
        6,
        12,
    ),
    ("vs_tuned", "tuned", "those of the same design with two statements of asyncpg", 2.5, 4),
    ("vs_tuned_unlocked", "unlocked", "those of the same without a row that all lock", 1.5, 2.5),
    ("vs_http_floor", "http_floor", "requests that FastAPI checks (token, body) and that nobody keeps", 0.5, 0.8),
    ("vs_own_floor", "own_floor", "requests that our own routes check and that nobody keeps", 0.3, 0.5),
)


class Plan(msgspec.Struct, frozen=True):
    """How much is measured: rounds of turns of so many seconds each. ``past`` and ``long_past`` count applications.

    A turn of writes or reads begins with so many for ``warm_up``; an open loop has ``least`` requests.
    """

    warm_up: int = 500
    warm_up_reads: int = 100
    least: int = 200
    rounds: int = 5
    read_rounds: int = 7
    seconds: float = 2.0
    read_seconds: float = 1.0
    open_loop_seconds: float = 10.0
    past: int = 10_000
    long_past: int = 2_000_000


QUICK: Final = Plan(
    warm_up=100,
    warm_up_reads=20,
    least=50,
    rounds=1,
    read_rounds=1,
    seconds=0.1,
    read_seconds=0.1,
    open_loop_seconds=0.5,
    past=300,
    long_past=1_500,
)


async def measure(plan: Plan) -> Result:
    """Run the benchmark on a cluster of its own, in a directory of its own, which is removed."""
    home = open_home(Path(tempfile.mkdtemp(prefix="drawdown-bench-")))
    try:
        [port] = free_ports(1)
        with issuer.serving(home) as access:
            async with cluster.running(home, port) as postgres:
                return await Benchmark(plan, postgres, home, access).measure()
    finally:
        shutil.rmtree(home.path)


class Benchmark:
    """One run on one cluster: ``figures`` and ``ratios`` fill up as it goes."""

    def __init__(self, plan: Plan, postgres: Postgres, home: Home, access: Mapping[str, str]) -> None:
        self._plan = plan
        self._postgres = postgres
        self._home = home
        self._access = access
        keyring.create(home)
        self._keyring = Keyring.read(home.keyring_file, "the benchmark's keyring")
        self._figures: dict[str, dict[str, Any]] = {}
        self._ratios: dict[str, Ratio] = {}
        assert postgres.child.identity is not None
        self._pid = postgres.child.identity.pid

    async def measure(self) -> Result:
        facts = machine.facts() | await self._settings() | {"before": machine.moment(self._home.postgres)}
        say("databases")
        await databases.create_all(self._postgres, self._keyring)
        tokens = [issuer.token(self._home) for _ in range(_TOKENS)]
        async with Remote(Load.open, tokens) as load:
            async with AsyncExitStack() as stack:
                servers = {name: await stack.enter_async_context(self._side(name)) for name in SIDES}
                for each in servers.values():
                    await load.call("greet", [server.address for server in each])
                for processes in range(1, PROCESSES + 1):
                    await self._accepts(load, servers, processes)
                await self._written_by_pgbench()
            await self._reads(load)
        return Result(self._ratios, self._figures, facts | {"after": machine.moment(self._home.postgres)})

    # --- parts ----------------------------------------------------------------------------------------------

    async def _accepts(self, load: Remote, servers: Mapping[str, Sequence[Server]], processes: int) -> None:
        of = "1 process" if processes == 1 else f"{processes} processes"
        say(f"accepts, {of}: ours, the peers and the floors in turn")
        sides: dict[str, Side] = {
            name: Turn(load, each[:processes], self._pid, seconds=self._plan.seconds, warm_up=self._plan.warm_up)
            for name, each in servers.items()
        }
        runs = await self._compare(f"accepts, {of}", sides, self._plan.rounds)
        suffix = "" if processes == 1 else f"_{processes}"
        for name, peer, says, must, aim in _RATIOS:
            divided = f"applications accepted, {of}, divided by {says}"
            self._ratios[name + suffix] = Ratio(divided, must, aim, ratio(runs["ours"], runs[peer]))
        half = {name: median_rate(of_side) / 2 for name, of_side in runs.items()}
        for name in ("ours", *databases.PEERS):
            await self._latency(f"half load, {of}/{name}", load, servers[name][:processes], half[name])
        at_theirs = f"half load, {of}/ours at the synchronous one's"
        await self._latency(at_theirs, load, servers["ours"][:processes], half["synchronous"])

    async def _written_by_pgbench(self) -> None:
        say("pgbench writes the same rows, one and a hundred in a transaction")
        target = self._dsn(databases.FLOOR)
        sides: dict[str, Side] = {}
        for rows in _PGBENCH_ROWS:
            transaction = await pgbench.script(self._dsn(databases.OURS), target, rows)
            run = partial(pgbench.run, target, transaction, rows, self._plan.seconds, self._home.path)
            sides[f"{rows}"] = lambda _round, run=run: run()  # type: ignore[misc]
        await self._compare("written by pgbench", sides, self._plan.rounds)

    async def _reads(self, load: Remote) -> None:
        """Compare reads of a database with a long past to those of one with a short past."""
        say(f"a past of {self._plan.past} and of {self._plan.long_past} applications")
        sizes = await databases.create_pasts(self._postgres, self._keyring, self._plan.past, self._plan.long_past)
        say(f"  there are {sizes}; reads of both in turn")
        short, long = (self._side("ours", database, 1) for database in (databases.SHORT, databases.LONG))
        found: dict[str, float] = {}
        async with short as few, long as many:
            asked = [await reading.paths(self._dsn(database)) for database in (databases.SHORT, databases.LONG)]
            for servers, paths in zip((few, many), asked, strict=True):
                await load.call("greet", [server.address for server in servers], paths["first page"])
            for kind in asked[0]:
                sides: dict[str, Side] = {
                    name: Turn(
                        load,
                        servers,
                        self._pid,
                        seconds=self._plan.read_seconds,
                        warm_up=self._plan.warm_up_reads,
                        connections=_READERS,
                        paths=paths[kind],
                    )
                    for name, servers, paths in zip(("short", "long"), (few, many), asked, strict=True)
                }
                runs = await alternate(sides, self._plan.read_rounds)
                for name, of_side in runs.items():
                    self._figures[f"reads, a {name} past/{kind}"] = figure(of_side, "requests")
                found[kind] = ratio(runs["long"], runs["short"])
                say(f"  {kind}: {median_rate(runs['short']):,.0f}/s, {found[kind]} of it with the long past")
        worst = min(found, key=lambda kind: found[kind])
        says = (
            f"reads with {sizes[databases.LONG]} applications, divided by those with {sizes[databases.SHORT]}; of "
            f"{len(found)} kinds of reads the one that loses most ({worst})"
        )
        self._ratios["reads_10k_to_2m"] = Ratio(says, 0.9, 0.98, found[worst])

    async def _latency(self, name: str, load: Remote, servers: Sequence[Server], rate: float) -> None:
        await load.call("prepare", max(self._plan.least, round(rate * self._plan.open_loop_seconds)))
        latencies: Latencies = await load.call("open_loop", [each.address for each in servers], CONNECTIONS, rate)
        self._figures[name] = {"unit": "ms"} | msgspec.structs.asdict(latencies)
        say(f"  {name}: p50 {latencies.p50_ms}, p99 {latencies.p99_ms}, max {latencies.max_ms}")

    # --- what they share ------------------------------------------------------------------------------------

    async def _compare(self, part: str, sides: Mapping[str, Side], rounds: int) -> dict[str, list[Run]]:
        runs = await alternate(sides, rounds)
        for name, of_side in runs.items():
            self._figures[f"{part}/{name}"] = found = figure(of_side, "requests")
            say(f"  {part} {name}: {found['median']:,.0f}/s {found['cpu_seconds_per_1000']}")
        return runs

    @asynccontextmanager
    async def _side(
        self, name: str, database: str | None = None, processes: int = PROCESSES
    ) -> AsyncIterator[list[Server]]:
        arguments, prefix, own, more = SIDES[name]
        database = database or own
        settings = {**self._access, "KEYRING_FILE": str(self._home.keyring_file), **more} | (
            {"DATABASE_URL": self._dsn(database)} if database else {}
        )
        async with running(arguments, prefix, settings, self._home.log(name), processes) as servers:
            yield servers

    def _dsn(self, database: str) -> str:
        return self._postgres.superuser_dsn(database)

    async def _settings(self) -> dict[str, str]:
        connection = await asyncpg.connect(self._postgres.superuser_dsn())
        try:
            return {name: str(await connection.fetchval(f"SHOW {name}")) for name in _SETTINGS}
        finally:
            await connection.close()


_PEER: Final = "benchmarks.peers.synchronous"
# A caller who sends all that can be taken is what is measured: the limit for one client stands aside.
_HTTP_ONLY: Final = {
    "ROLES": '["http"]',
    "KAFKA_BOOTSTRAP": "127.0.0.1:1",
    "LOG_LEVEL": "WARNING",
    "LIMIT_WRITES_PER_SECOND": "1000000",
    "LIMIT_READS_PER_SECOND": "1000000",
}
SIDES: Final[dict[str, tuple[list[str], str, str | None, dict[str, str]]]] = {
    "ours": (["intake", "run"], "INTAKE", databases.OURS, _HTTP_ONLY),
    "synchronous": ([_PEER, "orm"], "PEER", databases.PEERS["synchronous"], {}),
    "tuned": ([_PEER, "tuned"], "PEER", databases.PEERS["tuned"], {}),
    "unlocked": ([_PEER, "unlocked"], "PEER", databases.PEERS["unlocked"], {}),
    "http_floor": (["benchmarks.intake.floor", "usual"], "FLOOR", None, {}),
    "own_floor": (["benchmarks.intake.floor", "ours"], "FLOOR", None, {}),
}
