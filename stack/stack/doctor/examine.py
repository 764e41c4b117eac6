"""You are where the doctor goes through all looks, in an order in which a cause comes before what follows from it."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stack import apps, state
from stack.config import Config, Ports
from stack.doctor import clock, machine, parts, services, versions
from stack.doctor.finding import Finding, unknown
from stack.errors import ConfigurationError, StackError
from stack.grants import SERVICES
from stack.home import Home
from stack.ports import LOOPBACK
from stack.postgres import Postgres
from stack.state import State

Tell = Callable[[str], None]
_HIGHEST_PORT = 65535


@dataclass(frozen=True)
class Wishes:
    """What the caller asks for beside the usual."""

    least_disk_gb: float = machine.LEAST_DISK_GB
    time_source: str | None = None


def examine(home: Home, wishes: Wishes, tell: Tell) -> Iterator[Finding]:
    """Look at everything. Raises StackError where the data directory's own files can't be understood."""
    known = state.read(home)
    running = known is not None and known.supervisor.is_alive()
    outside = services.outside()
    tell("this machine")
    yield from versions.versions(home)
    yield from machine.disks(home, wishes.least_disk_gb)
    yield machine.memory(running=running)
    yield machine.open_files()
    yield from clock.keeper()
    if wishes.time_source:
        yield clock.by_http("clock", wishes.time_source, wishes.time_source)
    if not outside or known is not None or home.postgres.exists():
        tell("the stack")
        yield from _stack(home, known if running else None, known, tell)
    if outside:
        tell(f"what {', '.join(outside)} reach by their settings")
        yield from services.looked_at(outside)


def _stack(home: Home, running: State | None, known: State | None, tell: Tell) -> Iterator[Finding]:
    yield parts.leftovers(home, known)
    private = parts.private_files(home)
    yield from private
    if running is None:
        yield from parts.ports(chosen_ports().by_name())
        yield unknown("databases", f"nothing runs in {home.path}: drawdown up starts and migrates them")
        return
    yield from parts.ask(running)
    yield from machine.files_of_components(running)
    urls = {c.name: f"http://{LOOPBACK}:{c.port}" for c in running.components if c.name in SERVICES}
    yield from services.clocks(urls)
    if parts.missing(private, "private file"):
        yield unknown("databases", "they can't be opened without the private files above")
        return
    tell("what the services reach")
    yield from services.looked_at(_environments(home, running))


def chosen_ports() -> Ports:
    """The ports that `drawdown up` would take: the usual ones, but for what DRAWDOWN_<COMPONENT>_PORT says."""
    chosen: dict[str, int | None] = {}
    for name in Ports.names():
        variable = f"DRAWDOWN_{name.upper()}_PORT"
        text = os.environ.get(variable)
        if text and not (text.isdecimal() and 0 < int(text) <= _HIGHEST_PORT):
            raise ConfigurationError(f"{variable} is {text}: it has to be a port, from 1 to {_HIGHEST_PORT}")
        chosen[name] = int(text) if text else None
    return Ports().but(chosen)


def _environments(home: Home, running: State) -> dict[str, dict[str, str]]:
    """What the running services were given, by the same code that gave it."""
    at = {name: port for name in Ports.names() if (port := running.port(name))}
    brokers = [f"{LOOPBACK}:{each.port}" for each in running.components if each.name.startswith("kafka")]
    if not brokers or "postgres" not in at:
        raise StackError(f"the stack in {home.path} is still starting: drawdown status, then again")
    config = Config(home=home, ports=Ports(**{**Ports().by_name(), **at}))
    postgres = Postgres(home, at["postgres"])
    return {app.name: dict(app.command.env) for app in apps.services(config, postgres, ",".join(brokers))}
