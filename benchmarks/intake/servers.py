"""The servers: each a process of its own with its settings in its environment, as an operator starts them."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
import msgspec

from benchmarks.intake.wire import Address
from stack.ports import LOOPBACK, free_ports

ROOT: Final = Path(__file__).parents[2]
_READY_SECONDS: Final = 300.0  # on a machine that does much else
_STOP_SECONDS: Final = 20.0


class Server(msgspec.Struct, frozen=True):
    """One process that listens."""

    pid: int
    address: Address


@asynccontextmanager
async def running(
    arguments: list[str], prefix: str, settings: Mapping[str, str], log: Path, processes: int
) -> AsyncIterator[list[Server]]:
    """Run ``python -m <arguments>`` so many times, each on a port of its own, until the block ends."""
    ports = free_ports(processes)
    children = [_start(arguments, prefix, {**settings, "HTTP_PORT": str(port)}, log) for port in ports]
    try:
        servers = [Server(child.pid, (LOOPBACK, port)) for child, port in zip(children, ports, strict=True)]
        for child, server in zip(children, servers, strict=True):
            await _ready(child, server, log)
        yield servers
    finally:
        for child in children:
            child.terminate()
        for child in children:
            await asyncio.to_thread(child.wait, _STOP_SECONDS)


def _start(arguments: list[str], prefix: str, settings: Mapping[str, str], log: Path) -> "subprocess.Popen[bytes]":
    named = {f"{prefix}_{name}": value for name, value in settings.items()}
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603  # our own programs
            [sys.executable, "-m", *arguments],
            env=os.environ | named,
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def _said(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]


async def _ready(child: "subprocess.Popen[bytes]", server: Server, log: Path) -> None:
    host, port = server.address
    async with asyncio.timeout(_READY_SECONDS), httpx.AsyncClient(trust_env=False) as client:
        while True:
            if child.poll() is not None:
                raise RuntimeError(f"a server ended: {_said(log)}")
            try:
                if (await client.get(f"http://{host}:{port}/health/ready")).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
