"""The benchmark, part by part. What is compared runs in turns; what runs has its CPU seconds beside it."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
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
from benchmarks.ledger import databases, pgbench, scene
from benchmarks.ledger.floor import Floor, Way
from benchmarks.ledger.ours import Ours
from benchmarks.ledger.side import BATCH
from benchmarks.ledger.theirs import Theirs
from benchmarks.ledger.turns import FloorTurn, Turn
from stack import postgres as cluster
from stack.home import Home, open_home
from stack.ports import free_ports
from stack.postgres import Postgres

HOT: Final = scene.POOLS[:1]
_SETTINGS: Final = (
    "server_version",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "shared_buffers",
    "max_wal_size",
)


class Plan(msgspec.Struct, frozen=True):
    """How much is measured: rounds of turns of so many seconds each. ``past`` and ``long_past`` count transfers."""

    rounds: int = 5
    few_rounds: int = 3
    seconds: float = 2.0
    open_loop_seconds: float = 10.0
    batch_sizes: tuple[int, ...] = (1, 10, 100, 500, 1000, 2000)
    past: int = 10_000
    long_past: int = 2_000_000


QUICK: Final = Plan(
    rounds=1, few_rounds=1, seconds=0.1, open_loop_seconds=0.5, batch_sizes=(1, 100, 500), past=300, long_past=1_500
)


async def measure(plan: Plan) -> Result:
    """Run the benchmark on a cluster of its own, in a directory of its own, which is removed."""
    home = open_home(Path(tempfile.mkdtemp(prefix="drawdown-bench-")))
    try:
        [port] = free_ports(1)
        async with cluster.running(home, port) as postgres:
            return await Benchmark(plan, postgres, home).measure()
    finally:
        shutil.rmtree(home.path)


class Benchmark:
    """One run on one cluster: ``figures`` and ``ratios`` fill up as it goes."""

    def __init__(self, plan: Plan, postgres: Postgres, home: Home) -> None:
        self._plan = plan
        self._postgres = postgres
        self._home = home
        self._figures: dict[str, dict[str, Any]] = {}
        self._ratios: dict[str, Ratio] = {}
        assert postgres.child.identity is not None
        self._pid = postgres.child.identity.pid

    async def measure(self) -> Result:
        facts = machine.facts() | await self._settings() | {"before": machine.moment(self._home.postgres)}
        await self._create_databases()
        theirs = Remote(Theirs.open, self._dsn(databases.THEIRS), scene.policies())
        async with self._ours() as ours, theirs:
            async with self._floor("unnest") as by_unnest, self._floor("copy") as by_copy:
                floors = {"floor": by_unnest, "copy_floor": by_copy}
                rates = await self._beside_peers("approvals", ours, theirs, floors)
                await self._beside_peers("mix", ours, theirs, floors)
            await self._latencies(ours, theirs, rates)
            await self._batch_sizes(ours)
            await self._writers_and_pools(ours)
            await self._growth(ours)
        return Result(self._ratios, self._figures, facts | {"after": machine.moment(self._home.postgres)})

    # --- parts ----------------------------------------------------------------------------------------------

    async def _beside_peers(
        self, kind: str, ours: Remote, theirs: Remote, floors: Mapping[str, Remote]
    ) -> dict[str, float]:
        """Measure ours, the floors and the peer in turn; return their rates."""
        say(f"{kind}: ours, the floors and the row lock in turn")
        turn = self._turn({"disbursement": ours}, kind=kind, prepared=floors.values())
        sides: dict[str, Side] = {"ours": turn}
        sides |= {name: FloorTurn(floor, self._pid, turn) for name, floor in floors.items()}
        sides["row_lock"] = self._turn({"row_lock": theirs}, kind=kind)
        if kind == "approvals":
            sides["pgbench"] = self._pgbench
        runs = await self._compare(kind, sides, self._plan.rounds)
        suffix, what = ("", "approvals") if kind == "approvals" else ("_mix", "approvals, claims and settlements")
        usual = "by one transaction with a row lock per command, 16 connections"
        bare = "by the same rows written in the same batches by {}, with no decisions"
        for name, peer, by, must, aim in (
            ("vs_row_lock", "row_lock", usual, 15, 30),
            ("vs_floor", "floor", bare.format("UNNEST"), 0.5, 0.8),
            ("vs_copy_floor", "copy_floor", bare.format("COPY"), 0.3, 0.5),
        ):
            value = ratio(runs["ours"], runs[peer])
            self._ratios[name + suffix] = Ratio(f"{what} on one hot pool, divided {by}", must, aim, value)
        return {name: median_rate(of_side) for name, of_side in runs.items()}

    async def _latencies(self, ours: Remote, theirs: Remote, rates: Mapping[str, float]) -> None:
        """Measure how long approvals take at half of what each side can do, and ours at the peer's half too."""
        say("latency at half load")
        half = rates["row_lock"] / 2
        for name, side, rate in (
            ("ours", ours, rates["ours"] / 2),
            ("ours at the row lock's", ours, half),
            ("row_lock", theirs, half),
        ):
            await side.call("prepare", "approvals", max(200, round(rate * self._plan.open_loop_seconds)), HOT)
            latencies: Latencies = await side.call("open_loop", rate)
            self._figures[f"half load/{name}"] = {"unit": "ms"} | msgspec.structs.asdict(latencies)

    async def _batch_sizes(self, ours: Remote) -> None:
        say(f"batches of {', '.join(map(str, self._plan.batch_sizes))}")
        sides = {
            f"{size}": self._turn({"disbursement": ours}, batch_size=size, seconds=self._plan.seconds / 2)
            for size in self._plan.batch_sizes
        }
        await self._compare("batches of", sides, self._plan.few_rounds)

    async def _writers_and_pools(self, ours: Remote) -> None:
        say("one and two processes, one and three pools")
        async with self._ours(0, 2) as first, self._ours(1, 2) as second:
            one, two = {"disbursement": ours}, {"disbursement-1": first, "disbursement-2": second}
            sides = {
                "1 process, 1 pool": self._turn(one),
                "1 process, 3 pools": self._turn(one, pools=scene.POOLS),
                "2 processes, 1 pool": self._turn(two),
                "2 processes, 3 pools": self._turn(two, pools=scene.POOLS),
            }
            await self._compare("processes", sides, self._plan.few_rounds)

    async def _growth(self, ours: Remote) -> None:
        """Compare a database with a long past to one with a short past."""
        say(f"a past of {self._plan.long_past} transfers")
        await databases.copy(self._postgres, databases.BASE, databases.GROWN)
        transfers = await databases.grow(self._postgres, databases.GROWN, self._plan.long_past)
        await databases.settle(self._postgres, (databases.GROWN, databases.OURS))
        say(f"ours with {self._plan.past} and with {transfers} transfers in turn")
        async with self._ours(database=databases.GROWN) as grown:
            short, long = f"{self._plan.past}", f"{transfers}"
            sides = {short: self._turn({"disbursement": ours}), long: self._turn({"disbursement": grown})}
            runs = await self._compare("past of", sides, self._plan.few_rounds)
            says = (
                f"approvals with {transfers} past transfers, divided by those with {self._plan.past} and this run's own"
            )
            self._ratios["growth"] = Ratio(says, 0.9, 0.98, ratio(runs[long], runs[short]))

    async def _pgbench(self, _round: int) -> Run:
        return await pgbench.run(self._dsn(databases.THEIRS), self._plan.seconds, self._home.path)

    # --- what they share ------------------------------------------------------------------------------------

    async def _create_databases(self) -> None:
        say(f"a past of {self._plan.past} transfers")
        await databases.create_base(self._postgres, self._plan.past)
        await databases.copy(self._postgres, databases.BASE, databases.OURS)
        for floor in databases.FLOORS.values():
            await databases.copy(self._postgres, databases.BASE, floor)
        await databases.create_theirs(self._postgres, databases.THEIRS, scene.policies(), scene.APPROPRIATED)
        await databases.settle(self._postgres, (databases.OURS, *databases.FLOORS.values(), databases.THEIRS))

    async def _compare(self, part: str, sides: Mapping[str, Side], rounds: int) -> dict[str, list[Run]]:
        runs = await alternate(sides, rounds)
        for name, of_side in runs.items():
            self._figures[f"{part}/{name}"] = figure(of_side, "commands")
            say(f"  {part} {name}: {median_rate(of_side):,.0f} commands/s")
        return runs

    def _turn(
        self,
        processes: Mapping[str, Remote],
        *,
        kind: str = "approvals",
        pools: tuple[str, ...] = HOT,
        batch_size: int = BATCH,
        seconds: float | None = None,
        prepared: Iterable[Remote] = (),
    ) -> Turn:
        return Turn(
            processes,
            self._pid,
            kind=kind,
            pools=pools,
            batch_size=batch_size,
            seconds=seconds or self._plan.seconds,
            prepared=[partial(floor.call, "catch_up") for floor in prepared],
        )

    @asynccontextmanager
    async def _floor(self, way: Way) -> AsyncIterator[Remote]:
        ours, own = self._dsn(databases.OURS), self._dsn(databases.FLOORS[way])
        async with Remote(Floor.open, ours, own, way) as floor:
            yield floor

    @asynccontextmanager
    async def _ours(self, number: int = 0, of: int = 1, database: str = databases.OURS) -> AsyncIterator[Remote]:
        async with Remote(Ours.open, self._dsn(database), number, of) as ours:
            yield ours

    def _dsn(self, database: str) -> str:
        return self._postgres.superuser_dsn(database)

    async def _settings(self) -> dict[str, str]:
        connection = await asyncpg.connect(self._postgres.superuser_dsn())
        try:
            return {name: str(await connection.fetchval(f"SHOW {name}")) for name in _SETTINGS}
        finally:
            await connection.close()
