"""A service as its operator has it: a process with its settings in the environment, on real parts."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Self

import httpx

from stack.ports import free_ports

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 40


class Process:
    """One process; `with` it, so that it ends with the test."""

    def __init__(
        self, prefix: str, arguments: list[str], settings: dict[str, str], environment: dict[str, str] | None = None
    ) -> None:
        [self.port] = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        settings = {"HTTP_PORT": str(self.port), "LOG_FORMAT": "json"} | settings
        self._log = tempfile.TemporaryFile(mode="w+")  # noqa: SIM115  # closed with the process
        self.child = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            env=os.environ | {f"{prefix}_{name}": value for name, value in settings.items()} | (environment or {}),
            cwd=ROOT,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.child.kill()
        self.child.wait()
        self._log.close()

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, trust_env=False) as client:
            return await client.get(self.url + path)

    async def answers(self, path: str, status: int = 200) -> bool:
        """Whether it answers so by now. A process that has ended is a failure at once."""
        assert self.child.poll() is None, self.output()
        try:
            return (await self.get(path)).status_code == status
        except httpx.TransportError:
            return False

    async def stop(self) -> int:
        """Send SIGTERM; return the exit code."""
        self.child.terminate()
        return await asyncio.to_thread(self.child.wait, PATIENCE_SECONDS)

    def output(self) -> str:
        self._log.seek(0)
        return self._log.read()

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines of this event."""
        lines = [json.loads(line) for line in self.output().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]
