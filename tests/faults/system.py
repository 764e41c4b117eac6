"""You are at the system under test: real processes on free ports in a directory of their own, and their handles.

The second process of intake and of disbursement reaches PostgreSQL through a proxy that the suite can break; that of
eligibility and of disbursement reaches each broker so.
"""

import asyncio
import os
import shutil
import signal
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg
import psutil
import yaml

from stack.config import Config, Ports, policies_dir
from stack.grants import SERVICES
from stack.home import Home, open_home
from stack.kafkadata import Detour
from stack.manners import impatient
from stack.ports import LOOPBACK, endpoints, free_ports
from stack.postgres import Postgres
from stack.supervisor import Stack
from tests.faults.older import OLDER, POLICIES, take_out
from tests.faults.proxies import FarProxy, Place, serving
from tests.faults.small_disk import SmallDisk

PROXIED: Final = ("intake-2", "disbursement-2")
PROXIED_TO_KAFKA: Final = ("eligibility-2", "disbursement-2")


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How large the system is, and what its world is like. ``mutant`` names a deliberate bug of the services."""

    seed: int = 1
    brokers: int = 3
    envelope_yuan: int = 500_000_000
    mutant: str | None = None
    clocks: bool = False
    """Whether the services' clocks can be set (``clock``)."""
    older: bool = False
    """Whether the services begin as an older version (``break_versions``)."""
    finance: dict[str, str] = field(default_factory=dict)

    @property
    def launcher(self) -> tuple[str, ...]:
        """What a service is started through."""
        if self.mutant:
            return ("-m", "tests.faults.mutant", self.mutant)
        return ("-m", "tests.faults.clock") if self.clocks else ("-m",)


class System:
    """The running stack, with what a saboteur needs."""

    def __init__(
        self, stack: Stack, proxies: dict[str, FarProxy], brokers: Sequence[FarProxy], disks: dict[str, SmallDisk]
    ) -> None:
        self.stack = stack
        self.keep = False
        """Set when the directory must stay: somebody has to look at its logs."""
        self.proxies = proxies
        """By the process that reaches PostgreSQL through it."""
        self.brokers = [name for name in stack.components if name.startswith("kafka")]
        self.broker_proxies = dict(zip(self.brokers, brokers, strict=True))
        """By the broker that some processes reach through it."""
        self.disks = disks
        """By the component whose data they hold, once they were asked to."""
        self.older: str | None = None
        """Where the older version is that the services began as."""
        self.busy: dict[str, asyncio.Lock] = {name: asyncio.Lock() for name in stack.components}
        self.kafka_busy = asyncio.Lock()
        self.postgres_busy = asyncio.Lock()
        self.topics_busy = asyncio.Lock()
        """Held by whoever writes into topics, because the places of its records are noted, and by who deletes one."""

    @property
    def home(self) -> Home:
        return self.stack.config.home

    @property
    def services(self) -> list[str]:
        """The names of the service processes."""
        return [name for name in self.stack.components if name.partition("-")[0] in SERVICES]

    def doors(self) -> list[str]:
        """The addresses of intake's processes."""
        return [url for name, url in self.stack.urls.items() if name.partition("-")[0] == "intake"]

    def process(self, name: str) -> psutil.Process:
        """The process that a component is now. Raises psutil.NoSuchProcess when it is dead."""
        identity = self.stack.components[name].child.identity
        assert identity is not None
        return psutil.Process(identity.pid)

    async def pause(self, name: str, seconds: float) -> str:
        """SIGSTOP a component for so long; return the state in which it was seen meanwhile."""
        process = self.process(name)
        process.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
            seen: str = process.status()
        finally:
            process.send_signal(signal.SIGCONT)
        return seen

    async def connect(self, service: str) -> asyncpg.Connection:
        """A superuser's connection to one service's database."""
        return await asyncpg.connect(self.stack.postgres.superuser_dsn(service), timeout=10)

    async def fetch(self, service: str, query: str, *values: Any) -> list[asyncpg.Record]:
        connection = await self.connect(service)
        try:
            return list(await connection.fetch(query, *values))
        finally:
            await connection.close()


@asynccontextmanager
async def running(shape: Shape) -> AsyncIterator[System]:
    """Start everything; stop it at the end. The directory is removed unless something failed: its logs tell why."""
    home = open_home(Path(tempfile.mkdtemp(prefix="drawdown-faults-")))
    print(f"home {home.path}", flush=True)
    before = os.environ.get("DRAWDOWN_POLICIES")
    os.environ["DRAWDOWN_POLICIES"] = str(_policies(home, shape))
    try:
        async with _started(home, shape) as system:
            yield system
            keep = system.keep
    finally:
        os.environ.pop("DRAWDOWN_POLICIES")
        if before is not None:
            os.environ["DRAWDOWN_POLICIES"] = before
    if not keep:
        shutil.rmtree(home.path)


@asynccontextmanager
async def _started(home: Home, shape: Shape) -> AsyncIterator[System]:
    ports = Ports.free()
    to_postgres = [Place(port, ports.postgres) for port in free_ports(len(PROXIED))]
    postgres = Postgres(home, ports.postgres)
    doors = free_ports(2 * shape.brokers)
    detours = [Detour(*pair) for pair in zip(doors[::2], doors[1::2], strict=True)]
    to_brokers = [Place(detour.told, detour.listens) for detour in detours]
    through: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for name, place in zip(PROXIED, to_postgres, strict=True):
        dsn = postgres.dsn(_service(name))
        through[name][f"{_service(name).upper()}_DATABASE_URL"] = _via(dsn, ports.postgres, place.port)
    for name in PROXIED_TO_KAFKA:
        through[name][f"{_service(name).upper()}_KAFKA_BOOTSTRAP"] = endpoints(detour.told for detour in detours)
    older = take_out(home.path / "older") if shape.older else None
    if older:
        for name in (f"{service}{copy}" for service in SERVICES for copy in ("", "-2")):
            through[name]["PYTHONPATH"] = f"{older}:{_with_this_tree()}"
            if _service(name) == "eligibility":
                through[name][POLICIES] = str(_readable_then(Path(os.environ["DRAWDOWN_POLICIES"])))
    config = Config(
        home=home,
        ports=ports,
        brokers=shape.brokers,
        copies=2,
        seed=shape.seed,
        environment={**os.environ, "PYTHONPATH": _with_this_tree(), **shape.finance},
        process_environment=through,
        service_launcher=shape.launcher,
        detours=detours,
    )
    async with AsyncExitStack() as open_things:
        proxies = await open_things.enter_async_context(serving([*to_postgres, *to_brokers], config.environment))
        by_process = dict(zip(PROXIED, proxies, strict=False))
        disks = _disks(home, shape.brokers)
        for disk in disks.values():
            open_things.callback(disk.give_back)
        stack = await open_things.enter_async_context(Stack(config))
        system = System(stack, by_process, proxies[len(PROXIED) :], disks)
        system.older = older
        yield system


def _readable_then(folder: Path) -> Path:
    """The documents that the older version can read, beside all of them: today's others come with the upgrade."""
    older = folder.with_name(f"{folder.name}{OLDER}")
    older.mkdir(exist_ok=True)
    for name in ("programme.yaml", "compute-voucher.yaml"):
        shutil.copy(folder / name, older)
    return older


def _disks(home: Home, brokers: int) -> dict[str, SmallDisk]:
    folders = {"postgres": home.postgres / "data"}
    folders |= {"kafka" if brokers == 1 else f"kafka-{n}": home.kafka / str(n) / "data" for n in range(1, brokers + 1)}
    return {name: SmallDisk(folder, home.path / "disks" / name) for name, folder in folders.items()}


def _with_this_tree() -> str:
    """The services' launcher is a module of the tests, which are not installed."""
    return os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))


def _service(process: str) -> str:
    return process.partition("-")[0]


def _via(dsn: str, port: int, proxy: int) -> str:
    return dsn.replace(f"{LOOPBACK}:{port}", f"{LOOPBACK}:{proxy}")


def _policies(home: Home, shape: Shape) -> Path:
    """The real scheme documents, but with an envelope that this run's demand exceeds only towards its end, and
    with a clock that asks finance soon about a payment without a report.
    """
    folder = home.path / "policies"
    shutil.copytree(policies_dir(), folder)
    document = folder / "compute-voucher.yaml"
    policy = yaml.safe_load(document.read_text())
    policy["envelope"]["amount"] = shape.envelope_yuan * 100
    document.write_text(yaml.safe_dump(impatient(policy), allow_unicode=True, sort_keys=False))
    return folder
