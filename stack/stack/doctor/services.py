"""You are where the doctor has each service look at what its own settings name: `python -m <service> check`.

The service is a program of its own and is asked as one: in the environment that the stack gives it, or in ours, where
that names a database or brokers elsewhere (`INTAKE_DATABASE_URL` and such, or the same with `_FILE`).
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from stack.doctor import clock
from stack.doctor.finding import Finding, unknown, well, wrong
from stack.grants import SERVICES

CHECK_SECONDS = 90.0
CONFIGURATION = 78
_NAMED_BY = ("DATABASE_URL", "DATABASE_URL_FILE", "KAFKA_BOOTSTRAP", "KAFKA_BOOTSTRAP_FILE")


def named(environment: Mapping[str, str]) -> list[str]:
    """The services whose database or brokers the environment names."""
    return [service for service in SERVICES if any(environment.get(f"{service.upper()}_{name}") for name in _NAMED_BY)]


def looked_at(environments: Mapping[str, Mapping[str, str]]) -> list[Finding]:
    """What each service found in its environment, all at once; what all of them say alike is said once."""
    with ThreadPoolExecutor() as pool:
        by_service = dict(zip(environments, pool.map(_check, environments, environments.values()), strict=True))
    return list(_once(by_service))


def _once(by_service: Mapping[str, list[Finding]]) -> Iterator[Finding]:
    """Brokers and issuer are mostly the same for all: one line instead of four."""
    said: dict[Finding, dict[str, Finding]] = {}
    for service, findings in by_service.items():
        for finding in findings:
            said.setdefault(_of_any(service, finding), {})[service] = finding
    for common, own in said.items():
        finding = common if len(own) > 1 else next(iter(own.values()))
        of = "all services" if len(own) == len(by_service) > 1 else ", ".join(own)
        yield replace(finding, check=f"{finding.check}: {of}")


def _of_any(service: str, finding: Finding) -> Finding:
    """The same as another service would say it: their variables differ in what they begin with."""
    own, any_ = f"{service.upper()}_", "<SERVICE>_"
    return replace(finding, what=finding.what.replace(own, any_), mend=finding.mend.replace(own, any_))


def _check(service: str, environment: Mapping[str, str]) -> list[Finding]:
    command = [sys.executable, "-m", service, "check"]
    try:
        done = subprocess.run(
            command, env=dict(environment), capture_output=True, text=True, check=False, timeout=CHECK_SECONDS
        )
    except subprocess.TimeoutExpired:
        return [unknown("check", f"`python -m {service} check` takes longer than {CHECK_SECONDS:.0f} s")]
    if done.returncode == CONFIGURATION:
        said = " ".join(done.stderr.split())
        return [wrong("settings", said, why="the service does not start", mend="docs/reference/settings.md lists all")]
    found = [Finding(**line) for line in map(_decoded, done.stdout.splitlines()) if line]
    if not found:
        words = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
        return [wrong("check", words, why="the service can't even be started", mend="make setup")]
    return found


def _decoded(line: str) -> dict[str, Any] | None:
    """A finding; None for a line of the log."""
    try:
        item = json.loads(line)
    except ValueError:
        return None
    return item if isinstance(item, dict) and {"check", "status"} <= item.keys() else None


def clocks(urls: Mapping[str, str]) -> list[Finding]:
    """The clocks of the running services beside ours: one line when all agree."""
    found = [clock.by_http(f"clock of {name}", name, f"{url}/health/live") for name, url in urls.items()]
    if all(finding.status == "well" for finding in found):
        return [well("services' clocks", "agree with ours")]
    return [finding for finding in found if finding.status != "well"]


def outside() -> dict[str, dict[str, str]]:
    """The environment of each service that ours names."""
    return {service: dict(os.environ) for service in named(os.environ)}
