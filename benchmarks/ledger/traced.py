"""``python -m benchmarks.ledger.traced``: what traces cost the ledger: off, one event in a hundred followed, all.

The same events through the same batches, in turns; each event belongs to a trace of its own, which is the worst case.
Spans go to a socket that takes them and keeps nothing. docs/decisions/0020 has the figures.
"""

import asyncio
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final, Self

import msgspec

from benchmarks.harness.remote import Remote
from benchmarks.harness.rounds import alternate, figure
from benchmarks.ledger import databases, scene
from benchmarks.ledger.ours import Ours
from benchmarks.ledger.traffic import Told
from benchmarks.ledger.turns import Turn
from kit import logging, tracing, tracing_settings
from stack import postgres as cluster
from stack.home import open_home
from stack.ports import free_ports

SHARES: Final = {"off": None, "1 in 100": 0.01, "all": 1.0}
ROUNDS: Final = 7
_NOWHERE: Final = Path(os.devnull)


class Traced(Ours):
    """A consumer process of disbursement that traces; a ``share`` of its events is followed, None switches it off."""

    share: float | None = None

    @classmethod
    async def open_traced(cls, dsn: str, number: int, share: float | None, collector: str) -> Self:
        sys.stdout = _NOWHERE.open("w", encoding="utf-8")  # noqa: ASYNC230  # lines are made, and not kept
        logging.configure("bench", log_format="json", level="INFO")
        if share is not None:
            os.environ |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector, "NO_PROXY": "127.0.0.1"}
            tracing_settings.configure("bench", "0")
        found = await cls.open(dsn, number, len(SHARES))
        found.share = share
        return found

    async def prepare(self, kind: str, count: int, pools: list[str]) -> int:  # type: ignore[override]
        """Make the next events ready, each in a trace of its own."""
        made = await super().prepare(kind, count, pools)
        self._ready = [self._in_a_trace(one) for one in self._ready]
        return made

    def _in_a_trace(self, told: Told) -> Told:
        followed = self.share is not None and self._random.random() < self.share
        context = f"{tracing.fresh()[:-2]}{'01' if followed else '00'}".encode()
        headers = tuple((name, context if name == "traceparent" else value) for name, value in told.headers)
        return msgspec.structs.replace(told, headers=headers)

    async def close(self) -> None:
        if spans := tracing.spans():
            spans.end(1)
        await super().close()


async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each call with 200, as a collector does, and keep nothing."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            [length] = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            await reader.readexactly(int(length.split(b":")[1]))
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()
    except asyncio.IncompleteReadError:  # it hung up
        writer.close()


async def measure(rounds: int, seconds: float) -> dict[str, object]:
    """Return the rate and the CPU seconds of each share."""
    home = open_home(Path(tempfile.mkdtemp(prefix="drawdown-bench-")))
    server = await asyncio.start_server(take, "127.0.0.1", 0)
    collector = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    [port] = free_ports(1)
    try:
        async with cluster.running(home, port) as postgres:
            await databases.create_ours(postgres, databases.OURS, scene.policies(), scene.APPROPRIATED)
            dsn, pid = postgres.superuser_dsn(databases.OURS), postgres.child.identity
            assert pid is not None
            sides = {
                name: Remote(Traced.open_traced, dsn, number, share, collector)
                for number, (name, share) in enumerate(SHARES.items())
            }
            for side in sides.values():
                await side.__aenter__()
            turns = {
                name: Turn({"disbursement": side}, pid.pid, kind="approvals", pools=scene.POOLS[:1], seconds=seconds)
                for name, side in sides.items()
            }
            runs = await alternate(turns, rounds)
            for side in sides.values():
                await side.__aexit__()
            return {name: figure(of_side, "events") for name, of_side in runs.items()}
    finally:
        server.close()
        shutil.rmtree(home.path)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(int(sys.argv[1]) if sys.argv[1:] else ROUNDS, 2.0)), indent=1))
