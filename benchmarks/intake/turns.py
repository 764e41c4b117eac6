"""The sides' turns: make requests ready, start the clocks, send, stop the clocks."""

from collections.abc import Sequence
from math import ceil
from typing import Final

from benchmarks.harness.cpu import Watch
from benchmarks.harness.remote import Remote
from benchmarks.harness.rounds import Run
from benchmarks.intake.servers import Server

CONNECTIONS: Final = 128
_MOST: Final = 60_000


class Turn:
    """A side's turn: so many servers answer what the callers send, over connections that are open before.

    The first turn has ``warm_up`` requests; each later one as many as take ``seconds`` at the rate of the one before,
    and a hundred at least, or as many as the first.
    """

    def __init__(
        self,
        load: Remote,
        servers: Sequence[Server],
        postgres_pid: int,
        *,
        seconds: float,
        warm_up: int,
        connections: int = CONNECTIONS,
        paths: list[str] | None = None,
    ) -> None:
        self._load = load
        self._addresses = [server.address for server in servers]
        named = {f"server-{number}": server.pid for number, server in enumerate(servers, 1)}
        if len(servers) == 1:
            named = {"server": servers[0].pid}
        self._watch = Watch(named | {"callers": load.pid, "postgres": postgres_pid})
        self._seconds = seconds
        self._connections = connections
        self._paths = paths
        self._least = min(warm_up, 100)
        self._next = warm_up

    async def __call__(self, _round: int) -> Run:
        count = self._next
        await self._load.call("prepare", count, self._paths)
        self._watch.start()
        seconds = await self._load.call("run", self._addresses, self._connections)
        run = Run(count, seconds, self._watch.stop())
        self._next = min(_MOST, max(self._least, ceil(run.rate * self._seconds)))
        return run
