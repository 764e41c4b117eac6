"""Runs one service: its HTTP server and its loops, started in order and stopped in order, each under a deadline.

The HTTP server comes first, so that readiness can say what is still missing while PostgreSQL or Kafka are away. It
also stops first, because what it still has in hand needs the loops; the relay stops last, because it publishes what
the others commit. Whatever does not stop in time is left behind: to be killed at any line is a normal end here.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any, Final

import uvicorn
import uvloop
from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError

from kit import collector, housekeeping, meters, revisions, tracing
from kit.backoff import Backoff, wait
from kit.callers import Callers
from kit.database import Database, describe
from kit.deadlines import within
from kit.errors import SetupError, TransientError
from kit.logging import get_logger
from kit.patience import PatientProtocol
from kit.settings import EXIT_CONFIGURATION, ServiceSettings, complain
from kit.statistics import StatisticsWatch

log = get_logger(__name__)

Loop = Callable[[asyncio.Event], Awaitable[None]]
# Together below the 15 seconds after which whoever stops us sends SIGKILL.
_HTTP_STOP_SECONDS: Final = 5.0
_LOOPS_STOP_SECONDS: Final = 5.0
_RELAY_STOP_SECONDS: Final = 3.0
_POOL_STOP_SECONDS: Final = 1.5
_LOOP_LAG_SECONDS: Final = 1.0
_ACCEPTED_IN_A_TURN: Final = 8
_UNREAD_SECONDS: Final = 20


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the service stops its parts in its own order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Stage:
    """Loops that are stopped together."""

    def __init__(self, name: str, stop_seconds: float) -> None:
        self.name = name
        self.stop_seconds = stop_seconds
        self.stop = asyncio.Event()
        self.loops: list[tuple[str, Loop]] = []
        self.tasks: set[asyncio.Task[None]] = set()

    def add(self, name: str, loop: Loop) -> None:
        self.loops.append((name, loop))


class Service:
    """One process of a service. ``add_loop`` takes what runs beside the HTTP server once the database is right.

    ``database`` is for the loops, ``callers`` the same database for HTTP routes.
    """

    def __init__(self, name: str, settings: ServiceSettings, database: Database) -> None:
        self.name = name
        self.settings = settings
        self.database = database
        self.callers = Callers(settings, name, database.keyring)
        self.database_trouble: str | None = "the database has not been checked yet"
        self.draining = False
        self._stop = asyncio.Event()
        self._loops = _Stage("loops", _LOOPS_STOP_SECONDS)
        self._last_loops = _Stage("relay", _RELAY_STOP_SECONDS)
        self._preparations: list[Callable[[], Awaitable[None]]] = []

    def add_loop(self, name: str, loop: Loop, *, stops_last: bool = False) -> None:
        """Add what runs until its event is set. ``stops_last`` is for what still serves the other loops."""
        (self._last_loops if stops_last else self._loops).add(name, loop)

    def before_loops(self, prepare: Callable[[], Awaitable[None]]) -> None:
        """Add what has to be done once the database is right and before any loop runs; it may be tried again."""
        self._preparations.append(prepare)

    def trouble(self) -> str | None:
        """Say why the service as a whole can't work, for readiness."""
        return "stopping" if self.draining else self.database_trouble

    async def run(self, app: FastAPI) -> None:
        """Serve until SIGTERM or SIGINT, then stop: readiness off, HTTP, loops, database."""
        meters.set_build(self.name)
        collector.calm()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        server = _Server(http_config(app, self.settings.http_trusted_proxies))
        serving = asyncio.create_task(server.serve(sockets=_doubled(self._listen())))
        work = asyncio.create_task(self._work())
        log.info(
            "started",
            host=self.settings.http_host,
            port=self.settings.http_port,
            roles=sorted(self.settings.roles),
        )
        told = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({serving, work, told}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._stop_in_order(server, serving, work)
            told.cancel()
        for ended in (work, serving):
            if ended.done():
                ended.result()

    async def _stop_in_order(
        self, server: uvicorn.Server, serving: asyncio.Task[None], work: asyncio.Task[None]
    ) -> None:
        self.draining = True
        self._stop.set()
        server.should_exit = True
        clean = await _gone("http", {serving}, _HTTP_STOP_SECONDS)
        for stage in (self._loops, self._last_loops):
            stage.stop.set()
            clean &= await _gone(stage.name, stage.tasks, stage.stop_seconds)
        sending = asyncio.create_task(_send_last_spans())
        if clean:
            await asyncio.wait({work}, timeout=_POOL_STOP_SECONDS)
            clean = await self._closed_in_time()
        await sending
        log.info("stopped", clean=clean)

    async def _closed_in_time(self) -> bool:
        try:
            await within(_POOL_STOP_SECONDS, self._close_pools(), "closing the pools")
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("pool_left_open", reason=describe(error))
            return False
        return True

    async def _close_pools(self) -> None:
        await self.callers.close()
        await self.database.close()

    def _listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_INET6 if ":" in self.settings.http_host else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # whoever takes nothing of an answer for so long is let go
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_SECONDS * 1000)
        try:
            listener.bind((self.settings.http_host, self.settings.http_port))
        except OSError as error:
            place = f"{self.settings.http_host}:{self.settings.http_port}"
            raise SetupError(
                f"can't listen on {place} ({error.strerror}): set {self.name.upper()}_HTTP_PORT"
            ) from error
        return listener

    async def _work(self) -> None:
        await self._wait_for_database()
        if self._stop.is_set():
            return
        self.add_loop("housekeeping", partial(housekeeping.keep, self.database, self.settings.retention_days))
        self.add_loop("loop_lag", self._watch_loop)
        self.add_loop("statistics", StatisticsWatch(self.database).run)
        async with asyncio.TaskGroup() as group:
            for stage in (self._loops, self._last_loops):
                for name, loop in stage.loops:
                    stage.tasks.add(group.create_task(self._guard(name, loop, stage.stop), name=name))

    async def _guard(self, name: str, loop: Loop, stop: asyncio.Event) -> None:
        """Run a loop; a bug in one of them ends the whole process loudly, and whoever watches it starts it again."""
        try:
            await loop(stop)
        except SetupError:
            self._stop.set()
            raise  # ``run_process`` says it in one line
        except asyncio.CancelledError as error:
            if self._stop.is_set() or stop.is_set():
                raise
            self._mourn(name, error)  # cancelled by nobody of ours, which the task group would not even mention
            raise RuntimeError(f"the loop {name} was cancelled from within") from error
        except Exception as error:
            self._mourn(name, error)
            raise

    def _mourn(self, name: str, error: BaseException) -> None:
        log.critical("loop_died", loop=name, exc_info=error)
        self._stop.set()

    async def _wait_for_database(self) -> None:
        revision = revisions.head(self.name)
        backoff = Backoff(0.1, 5.0)
        while not self._stop.is_set():
            try:
                await self.database.check(revision)
                await self.database.roll_partitions()
                for prepare in self._preparations:
                    await prepare()
            except (SQLAlchemyError, OSError, TimeoutError, TransientError) as error:
                self.database_trouble = f"PostgreSQL: {describe(error)}"
                log.warning("waiting_for_database", reason=describe(error))
                await backoff.pause(self._stop)
            else:
                self.database_trouble = None
                return

    async def _watch_loop(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LOOP_LAG_SECONDS
            if await wait(stop, _LOOP_LAG_SECONDS):
                return
            meters.LOOP_LAG.set(max(0.0, loop.time() - due))


async def _send_last_spans() -> None:
    """Send what is left of the spans, while the pools are closed. A stop is clean without them."""
    if spans := tracing.spans():
        await asyncio.to_thread(spans.end, _POOL_STOP_SECONDS)


def _doubled(listener: socket.socket) -> list[socket.socket]:
    """Return the listener in as many copies as connections are to be accepted in one turn of the event loop.

    uvloop takes one from a listener in a turn. While a crowd is there a turn takes 10 ms and more, and new connections
    would wait for seconds in the kernel, where nobody can tell them anything. All copies have the one queue.
    """
    return [listener, *(listener.dup() for _ in range(_ACCEPTED_IN_A_TURN - 1))]


async def _gone(part: str, tasks: Collection[asyncio.Task[Any]], seconds: float) -> bool:
    """Wait for tasks to end, for so long and no longer; return whether all did. Their results are read elsewhere."""
    if not tasks:
        return True
    _, late = await asyncio.wait(tasks, timeout=seconds)
    if late:
        log.warning("stop_deadline_passed", part=part, seconds=seconds, tasks=sorted(task.get_name() for task in late))
    return not late


def http_config(app: FastAPI, trusted_proxies: Sequence[str] = ()) -> uvicorn.Config:
    """Return how every service serves HTTP."""
    return uvicorn.Config(
        app,
        proxy_headers=bool(trusted_proxies),  # by default uvicorn would believe whoever calls from the loopback
        forwarded_allow_ips=list(trusted_proxies),
        log_config=None,
        access_log=False,
        lifespan="off",
        http=PatientProtocol,
        timeout_graceful_shutdown=int(_HTTP_STOP_SECONDS) - 1,
        timeout_keep_alive=30,
        h11_max_incomplete_event_size=None,
    )


def run_process(main: Callable[[], Awaitable[None]]) -> None:
    """Run a service's main coroutine on uvloop; a wrong set-up is one line and exit code 78."""
    try:
        uvloop.run(_as_coroutine(main))
    except* SetupError as group:
        for error in _leaves(group):
            complain(str(error))
        os._exit(EXIT_CONFIGURATION)  # other threads and tasks have nothing left to say


async def _as_coroutine(main: Callable[[], Awaitable[None]]) -> None:
    await main()
    if left := asyncio.all_tasks() - {asyncio.current_task()}:
        log.warning("left_running", tasks=sorted(task.get_name() for task in left))
        sys.stdout.flush()
        os._exit(0)  # some swallow the cancellation with which the event loop would wait for them


def _leaves(group: BaseExceptionGroup[SetupError]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
