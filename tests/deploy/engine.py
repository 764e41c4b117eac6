"""You are at the container engine, where there is one, and at `docker-compose.yml` run by it."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from stack.ports import free_ports
from tests.deploy.manifests import ROOT

PUBLISHED: Final = ("INTAKE", "ELIGIBILITY", "DISBURSEMENT", "METRICS", "POSTGRES", "KAFKA", "REGISTERS", "FINANCE")
PUBLISHED_BESIDE: Final = ("PROMETHEUS", "ALERTMANAGER", "GRAFANA", "JAEGER")
_BACK_SECONDS: Final = 120


def docker(
    *arguments: str, fails: bool = False, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the docker command in the repository's root; its failure is the test's, unless it may fail."""
    done = subprocess.run(["docker", *arguments], cwd=ROOT, capture_output=True, text=True, check=False, env=env)
    assert fails or done.returncode == 0, f"docker {' '.join(arguments)}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done


def demanded() -> None:
    """Skip the test where there is no engine, and say what it wants."""
    if shutil.which("docker") is None or docker("info", fails=True).returncode:
        pytest.skip("there is no container engine: `docker info` has to answer")


class Project:
    """The compose file under a name and on ports of its own, so that it disturbs nobody who runs it besides."""

    def __init__(self, name: str, **more: str) -> None:
        names = (*PUBLISHED, *PUBLISHED_BESIDE)
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        self._name = name
        self._env = {**os.environ, **{f"{each}_PORT": str(port) for each, port in self.ports.items()}, **more}

    def compose(self, *arguments: str, fails: bool = False) -> subprocess.CompletedProcess[str]:
        return docker("compose", "--project-name", self._name, *arguments, fails=fails, env=self._env)

    def started(self, *arguments: str) -> subprocess.Popen[str]:
        """Return a compose command that goes on beside the test."""
        command = ["docker", "compose", "--project-name", self._name, *arguments]
        return subprocess.Popen(
            command, cwd=ROOT, env=self._env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def states(self) -> dict[str, dict[str, Any]]:
        """Return what the engine says of each service's container, ended ones too."""
        ids = self.compose("ps", "--all", "--quiet").stdout.split()
        found = json.loads(docker("inspect", *ids).stdout) if ids else []
        return {each["Config"]["Labels"]["com.docker.compose.service"]: each for each in found}

    def kill(self, service: str) -> None:
        """End the container's first process as the kernel would when memory is short: the engine has not been asked.

        `docker kill` would be taken for a wish, after which nothing is started again.
        """
        pid = self.states()[service]["State"]["Pid"]
        if not Path(f"/proc/{pid}").exists():
            pytest.skip("the engine's processes are out of reach: it runs in another machine, or we are not root")
        os.kill(pid, signal.SIGKILL)

    def until_healthy(self, services: Iterable[str]) -> None:
        """Wait until each has come back by itself."""
        deadline = time.monotonic() + _BACK_SECONDS
        while lacking := {name: state for name in services if (state := self._health(name)) != "healthy"}:
            assert time.monotonic() < deadline, f"not back after {_BACK_SECONDS} s: {lacking}"
            time.sleep(0.5)  # the engine tells no one when health changes

    def _health(self, service: str) -> str:
        state = self.states()[service]["State"]
        return str(state.get("Health", {}).get("Status")) if state["Running"] else str(state["Status"])
