"""You are where the doctor looks at the stack of a data directory: ports, processes, components, private files."""

import asyncio
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import psutil

from stack import health
from stack.doctor.finding import Finding, unknown, well, wrong
from stack.home import Home
from stack.ports import by_whom, is_free
from stack.state import Running, State

_OURS = ("stack.simulators", "stack.serve", "intake", "eligibility", "disbursement", "metrics")


def ports(wanted: Mapping[str, int]) -> Iterator[Finding]:
    """Whether a start would find its ports free. Not asked while a stack runs here: then they are its own."""
    taken = {name: port for name, port in wanted.items() if not is_free(port)}
    for name, port in taken.items():
        who = by_whom(port) or " by a process that the system does not name to us"
        said = f"{port} for {name} is taken{who}"
        mend = f"stop that; or drawdown up --{name.replace('_', '-')}-port N; or drawdown up --free-ports"
        yield wrong(f"port: {name}", said, why="drawdown up needs it and will not start", mend=mend)
    if not taken:
        yield well("ports", f"{', '.join(map(str, wanted.values()))} are free")


async def components(known: State) -> list[Finding]:
    """Each part of the running stack: alive, and fit for its work."""
    troubles = await health.troubles(known.components)
    found = [_component(running, trouble) for running, trouble in troubles]
    if all(finding.status == "well" for finding in found):
        return [well("components", f"all {len(found)} are ready")]
    return [finding for finding in found if finding.status != "well"]


def _component(running: Running, trouble: str | None) -> Finding:
    name = f"component: {running.name}"
    if trouble is None:
        return well(name, f"ready on port {running.port}")
    why = {
        "postgres": "nothing is accepted and nothing goes on without it; what was accepted is kept",
        "kafka": "events wait in the outboxes and nothing is lost, but nothing goes from one service to the next",
    }.get(running.name.partition("-")[0], "its share of the work waits; nothing is lost")
    mend = f"drawdown logs {running.name} -n 50; then drawdown down; drawdown up"
    said = f"{trouble} (pid {running.pid}, port {running.port}, started again {running.restarts} times)"
    return wrong(name, said, why=why, mend=mend)


def leftovers(home: Home, known: State | None) -> Finding:
    """Processes of this data directory that no supervisor watches."""
    watched = known is not None and known.supervisor.is_alive()
    named = {component.pid for component in known.components} if known else set()
    alive = [component for component in known.components if component.identity.is_alive()] if known else []
    strangers = list(_strangers(home, {*named, *([known.supervisor.pid] if known else [])}))
    why = "they hold the ports and the data, and nobody starts again what dies"
    if alive and not watched:
        said = f"a supervisor was killed and left {', '.join(f'{each.name} (pid {each.pid})' for each in alive)}"
        return wrong("leftovers", said, why=why, mend="drawdown down")
    if strangers:
        said = ", ".join(f"{name} (pid {pid})" for pid, name in strangers)
        kill = " ".join(str(pid) for pid, _ in strangers)
        return wrong("leftovers", f"not of the stack that runs here: {said}", why=why, mend=f"kill -INT {kill}")
    return well("leftovers", "none")


def _strangers(home: Home, known: set[int]) -> Iterator[tuple[int, str]]:
    """Processes that work in this data directory: by what they were told, or by where they are."""
    for process in psutil.process_iter(["pid", "ppid", "name", "cmdline", "cwd"]):
        told = process.info["cmdline"] or []
        if process.pid in known or process.info["ppid"] in known or process.pid == os.getpid():
            continue
        of_ours = any(module in told for module in _OURS)
        here = process.info["cwd"] == str(home.path) and of_ours
        if here or _works_on(home, told):
            yield process.pid, process.info["name"]


def _works_on(home: Home, told: list[str]) -> bool:
    """Kafka is started with `@<home>/kafka/java.args`, PostgreSQL with `-D <home>/postgres/data`."""
    return f"@{home.kafka / 'java.args'}" in told or ("-D" in told and str(home.postgres / "data") in told)


def private_files(home: Home) -> list[Finding]:
    """Passwords, keyring and signing key: there, whole, and readable by their owner only."""
    if not home.postgres.exists():
        return [unknown("private files", f"{home.path} has no data yet: the first start makes them")]
    files = {
        home.passwords_file: "the databases can't be opened without it",
        home.keyring_file: "accounts and contacts can't be opened without it, and no payment can be ordered",
        home.signing_key_file: "no token can be signed: drawdown's own commands are refused",
    }
    found = [_private(path, why) for path, why in files.items()]
    return [each for each in found if each.status != "well"] or [well("private files", "whole, and only yours to read")]


def _private(path: Path, why: str) -> Finding:
    name = f"private file: {path.name}"
    restore = f"restore {path} from its backup; a new one does not open what was closed with the old"
    try:
        json.loads(path.read_text("utf-8"))
        mode = path.stat().st_mode & 0o777
    except FileNotFoundError:
        return wrong(name, "it is missing", why=why, mend=restore)
    except PermissionError as error:
        return wrong(name, f"it can't be read ({error.strerror})", why=why, mend=f"sudo chown $USER {path}")
    except ValueError as error:
        return wrong(name, f"it is no JSON ({error})", why=why, mend=restore)
    if mode & 0o077:
        said = f"others can get at it (mode {mode:o})"
        return wrong(name, said, why="whoever reads it can be anyone here", mend=f"chmod 600 {path}")
    return well(name, f"mode {mode:o}")


def ask(known: State) -> list[Finding]:
    """`components`, from outside an event loop."""
    return asyncio.run(components(known))


def missing(found: Iterable[Finding], check: str) -> bool:
    """Whether a look found something wrong with what begins like that."""
    return any(finding.status == "wrong" and finding.check.startswith(check) for finding in found)
