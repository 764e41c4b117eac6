"""You are at the whole system on one machine: started in order, watched, stopped in reverse order.

    async with Stack(Config(ports=Ports.free())) as stack:
        stack.urls["intake"], stack.kafka_bootstrap, stack.dsn("disbursement")

All processes are children of this one and end with it. Use it from the main thread: on Linux a child's life hangs on
the thread that started it.
"""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from types import TracebackType
from typing import Self

import httpx

from stack import apps, archive, health, postgres, progress
from stack.apps import App
from stack.archive import Archive
from stack.concurrency import together
from stack.config import Config
from stack.errors import StackError
from stack.kafka import Kafka
from stack.logs import supervisor_log
from stack.migrate import migrate
from stack.ports import require_free
from stack.postgres import Postgres
from stack.processes import Child, Identity
from stack.progress import Listener, step
from stack.state import Running, State, clear_leftovers, sole_stack, write
from stack.watch import Component, keep_running

_log = logging.getLogger(__name__)

_PAUSES_SECONDS = (0.2, 0.4, 0.8, 1.6, 3.2)
_LAST = {"postgres": 3, "archive": 4}  # the archive takes what the database writes while it stops


class Stack:
    """The running system."""

    def __init__(self, config: Config | None = None, *, listener: Listener = progress.ignore) -> None:
        self.config = config or Config()
        self._archive = Archive(self.config.archive) if self.config.archive else None
        settings = postgres.SETTINGS | (archive.SETTINGS if self._archive else {})
        self.postgres = Postgres(self.config.home, self.config.ports.postgres, settings)
        self._kafka = Kafka(self.config.home, self.config.kafka_nodes())
        self._simulators = apps.simulators(self.config, self.kafka_bootstrap)
        self._services = apps.services(self.config, self.postgres, self.kafka_bootstrap)
        self._listener = listener
        self._components: dict[str, Component] = {}
        self._watchers: dict[str, asyncio.Task[None]] = {}
        self._resources = contextlib.AsyncExitStack()
        self._http = httpx.AsyncClient(trust_env=False)
        self._ready = False

    @property
    def urls(self) -> dict[str, str]:
        """The base URL of each service and simulator, by its name."""
        return {app.name: app.url for app in (*self._services, *self._simulators)}

    @property
    def kafka_bootstrap(self) -> str:
        """`host:port[,host:port]` of the brokers."""
        return self._kafka.bootstrap

    @property
    def components(self) -> dict[str, Component]:
        """What runs, by name; a second and third broker are `kafka-2` and `kafka-3`."""
        return dict(self._components)

    def dsn(self, service: str) -> str:
        """The service's own database login."""
        return self.postgres.dsn(service)

    def kill(self, name: str) -> None:
        """SIGKILL one component, as a crash would; its watcher starts it again."""
        identity = self._components[name].child.identity
        assert identity is not None, f"{name} was never started"
        identity.send(signal.SIGKILL)

    async def crash(
        self, names: Sequence[str], away_seconds: float = 0.0, meanwhile: Callable[[], Awaitable[object]] | None = None
    ) -> list[int | None]:
        """SIGKILL components at the same moment, leave them dead for so long, start them, wait until they work.

        `meanwhile` is done while they are dead. Answers how each ended: -9 says that it was this signal.
        """
        components = [self._components[name] for name in names]
        await self._stop_watching(names)
        for name in names:
            self.kill(name)
        try:
            if meanwhile:
                await meanwhile()
            await asyncio.sleep(away_seconds)
        finally:
            for component in components:
                component.restarts += 1
                await component.child.stop()  # it is dead: this waits for its burial
            ended = [component.child.exit_code for component in components]
            await together(self._bring_back(component) for component in components)
        return ended

    async def restart(self, name: str, meanwhile: Callable[[], Awaitable[None]] | None = None) -> None:
        """Stop one component in its own time and start it again; returns when it works. `meanwhile` is done in between,
        when nothing of it runs: a suite may move its data.
        """
        component = self._components[name]
        await self._stop_watching([name])
        await component.child.stop()
        try:
            if meanwhile:
                await meanwhile()
        finally:
            component.restarts += 1
            await self._run(component)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start everything; returns when every service is ready.

        Raises StackError with one line that says what to do. Whatever fails, nothing is left running.
        """
        try:
            await self._claim_home()
            await together([self._start_postgres(), self._start_kafka()])
            await together(self._start_app(app) for app in self._simulators)
            await together(self._start_app(app) for app in self._services)
        except BaseException:
            await self.stop()
            raise
        self._ready = True
        self._remember()
        _log.info("all is ready in %s", self.config.home.path)

    async def stop(self) -> None:
        """Stop everything, services first and the database last, each under its deadline, then by SIGKILL."""
        await self._stop_watching(list(self._watchers))
        if self._components:
            self._ready = False
            self._remember()
        for group in self._groups_in_stop_order():
            await together(self._stop_one(component) for component in group)
        self._components.clear()
        await self._http.aclose()
        await self._resources.aclose()

    async def _claim_home(self) -> None:
        home = self.config.home
        self._resources.enter_context(sole_stack(home))
        self._resources.enter_context(supervisor_log(home.log("supervisor")))
        if leftovers := await clear_leftovers(home):
            _log.warning("ended what a killed stack had left: %s", ", ".join(leftovers))
            self._listener(progress.Step("leftovers", "done", 0.0, f"ended {', '.join(leftovers)}"))
        self._remember()
        require_free(self.config.ports.by_name())

    async def _start_postgres(self) -> None:
        with step(self._listener, "postgres"):
            server = self.postgres
            await self._run(Component(server.child, server.port, server.ready, server.prepare))
            if self._archive:  # before the first commit, which would wait for it
                await self._run(self._archive.component(self.config.home, server))
            await server.provision()
        if self._archive and not self._archive.bases():
            with step(self._listener, "base backup", done=f"in {self._archive.path}"):
                await self._archive.back_up(server)
        with step(self._listener, "migrations", done="up to date"):
            await together(migrate(app.migration) for app in self._services if app.migration)

    async def _start_kafka(self) -> None:
        with step(self._listener, "kafka") as tell:
            loop = asyncio.get_running_loop()

            def jars_arrived(done: int, total: int) -> None:  # called in the downloading thread
                loop.call_soon_threadsafe(tell, f"{done} of {total} jars")

            await self._kafka.prepare(jars_arrived)
            tell("starting")
            await together(self._run(node) for node in self._kafka.components())
        with step(self._listener, "topics", done="there"):
            await self._kafka.create_topics()

    async def _start_app(self, app: App) -> None:
        async def ready() -> str | None:
            return await health.http_trouble(self._http, app.url)

        with step(self._listener, app.name, done=app.url):
            await self._run(Component(Child(app.command), app.port, ready))

    async def _run(self, component: Component) -> None:
        """Start a component, wait until it works, and watch it from then on."""
        self._components[component.name] = component
        await component.launch()
        self._remember()
        await component.works()
        self._watchers[component.name] = asyncio.create_task(keep_running(component, self._remember))

    async def _bring_back(self, component: Component) -> None:
        """Start what was killed, as often as it takes: for moments its children hold what it had."""
        pauses = iter(_PAUSES_SECONDS)
        while True:
            try:
                return await self._run(component)
            except (StackError, OSError) as error:
                if (pause := next(pauses, None)) is None:
                    raise
                _log.warning("%s: %s; again in %.1f s", component.name, error, pause)
                await component.child.stop()  # it may live and not work: there must not be two
                await asyncio.sleep(pause)

    async def _stop_watching(self, names: Sequence[str]) -> None:
        watchers = {self._watchers.pop(name) for name in names if name in self._watchers}
        while watchers:  # again and again, because a library may swallow a cancellation
            for watcher in watchers:
                watcher.cancel()
            _, watchers = await asyncio.wait(watchers, timeout=1)

    async def _stop_one(self, component: Component) -> None:
        with step(self._listener, component.name, done="stopped"):
            if not await component.child.stop():
                _log.warning("%s did not stop in time and was killed", component.name)

    def _groups_in_stop_order(self) -> list[list[Component]]:
        services, simulators = ({app.name for app in group} for group in (self._services, self._simulators))
        groups: list[list[Component]] = [[], [], [], [], []]
        for name, component in self._components.items():
            order = 0 if name in services else 1 if name in simulators else _LAST.get(name, 2)
            groups[order].append(component)
        return groups

    def _remember(self) -> None:
        """Write down what runs, for `drawdown status` and for the next start."""
        supervisor = Identity.of(os.getpid())
        assert supervisor is not None
        running = tuple(_running(component) for component in self._components.values() if component.child.identity)
        write(self.config.home, State(supervisor, self._ready, running))


def _running(component: Component) -> Running:
    child = component.child
    assert child.identity is not None, f"{child.name} was never started"
    return Running(
        name=child.name,
        port=component.port,
        restarts=component.restarts,
        stop_signal=int(child.command.stop_signal),
        **asdict(child.identity),
    )
