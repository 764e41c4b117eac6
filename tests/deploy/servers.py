"""Prometheus and Alertmanager as their operators have them: processes on free ports, which end with the test."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from stack.ports import LOOPBACK, free_ports
from tests.deploy.watching import tool
from tests.kit.conftest import eventually

STOP_SECONDS: Final = 20


class Server:
    """One that runs: ``get`` reads JSON from its HTTP interface."""

    def __init__(self, port: int, client: httpx.AsyncClient) -> None:
        self.address = f"{LOOPBACK}:{port}"
        self.client = client

    async def get(self, path: str, **params: str) -> Any:
        answer = await self.client.get(f"http://{self.address}{path}", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: Any) -> None:
        answer = await self.client.post(f"http://{self.address}{path}", json=body)
        assert answer.status_code == 200, answer.text

    async def is_ready(self) -> bool:
        try:
            return (await self.client.get(f"http://{self.address}/-/ready")).status_code == 200
        except httpx.TransportError:
            return False


@asynccontextmanager
async def running(program: str, arguments: Sequence[str], folder: Path) -> AsyncIterator[Server]:
    """Start a program with its data in ``folder``, wait until it is ready, stop it at the end."""
    [port] = free_ports(1)
    command = [tool(program), *arguments, f"--storage.{'tsdb.' if program == 'prometheus' else ''}path={folder}/data"]
    log = folder / f"{program}.log"
    with log.open("wb") as output:
        child = subprocess.Popen(  # noqa: ASYNC220  # started once, before anything else happens
            [*command, f"--web.listen-address={LOOPBACK}:{port}"], stdout=output, stderr=subprocess.STDOUT
        )
    try:
        async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
            server = Server(port, client)

            async def ready() -> bool:
                assert child.poll() is None, log.read_text(encoding="utf-8")
                return await server.is_ready()

            await eventually(ready, seconds=60)
            yield server
    finally:
        child.terminate()
        await asyncio.to_thread(child.wait, STOP_SECONDS)


def prometheus(folder: Path, configuration: Path) -> Any:
    return running("prometheus", [f"--config.file={configuration}"], folder)


def alertmanager(folder: Path, configuration: Path) -> Any:
    return running("prometheus-alertmanager", [f"--config.file={configuration}", "--cluster.listen-address="], folder)
