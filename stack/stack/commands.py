"""You are behind the `drawdown` command: each function does one command's work and answers what to show."""

import asyncio
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
from rich.console import Console

from stack import health, issuer, kafka, screen, serve, state
from stack.config import Config
from stack.errors import StackError
from stack.home import Home
from stack.jars import kafka_classpath
from stack.manners import Manner
from stack.ports import LOOPBACK
from stack.processes import Identity
from stack.progress import Listener, Step
from stack.simulators.views import Page, Pool
from stack.tables import Health

DOWN_SECONDS = 120.0
ANSWER_SECONDS = 10.0
POLL_SECONDS = 0.1


def up(config: Config, console: Console, tell: Callable[[], None]) -> int:
    """Start a detached supervisor and show its start; answers the exit code."""
    launched = serve.launch(config)
    try:
        with screen.watching(console) as listener:
            last = _relay(launched, listener)
    except KeyboardInterrupt:
        console.print("stopping what was started", highlight=False)
        launched.interrupt()
        return serve.INTERRUPTED
    if last.get("ready"):
        tell()
        return 0
    if "error" in last:
        raise _as_error(last)
    raise StackError(f"the supervisor died while starting: see {config.home.log('supervisor')}")


def _relay(launched: serve.Launched, listener: Listener) -> dict[str, Any]:
    last: dict[str, Any] = {}
    for message in launched.messages():
        if "status" in message:
            listener(Step(**message))
        last = message
    return last


def _as_error(message: dict[str, Any]) -> StackError:
    error = StackError(message["error"])
    error.exit_code = message["exit_code"]
    return error


def up_in_front(config: Config, console: Console, tell: Callable[[], None]) -> int:
    """Be the supervisor until Ctrl-C or SIGTERM; answers the exit code."""
    with screen.watching(console) as listener:

        def ready() -> None:
            listener.settle()
            tell()

        finished = asyncio.run(serve.serve(config, listener, ready))
    return 0 if finished else serve.INTERRUPTED


@dataclass(frozen=True)
class Stopped:
    """What `down` ended, and how long it took."""

    components: list[str]
    seconds: float

    def __str__(self) -> str:
        if not self.components:
            return "nothing runs here"
        return f"stopped {', '.join(self.components)} in {self.seconds:.1f} s"


def down(home: Home) -> Stopped:
    """Stop the stack, or what a killed one left. Stopping nothing is no failure."""
    began = time.monotonic()
    known = state.read(home)
    ended: list[str] = []
    if known and known.supervisor.is_alive():
        ended = [component.name for component in known.components] or ["a start"]
        _stop_supervisor(known.supervisor, home)
    elif known:
        with state.sole_stack(home):
            ended = asyncio.run(state.clear_leftovers(home))
    return Stopped(ended, round(time.monotonic() - began, 1))


def _stop_supervisor(supervisor: Identity, home: Home) -> None:
    deadline = time.monotonic() + DOWN_SECONDS
    supervisor.send(signal.SIGTERM)
    while supervisor.is_alive():
        if time.monotonic() > deadline:
            pid = supervisor.pid
            raise StackError(f"the stack (pid {pid}) does not stop: see {home.log('supervisor')}, then kill -9 {pid}")
        time.sleep(POLL_SECONDS)


def status(home: Home) -> list[Health]:
    """Each component that the state file names, asked for its health; empty where nothing was started."""
    known = state.read(home)
    if known is None:
        return []
    return [Health(component, trouble) for component, trouble in asyncio.run(health.troubles(known.components))]


def log_files(home: Home, component: str | None) -> list[Path]:
    """The log of one component, or all. Raises StackError naming those that there are."""
    there = sorted(home.logs.glob("*.log"))
    if component is None and there:
        return there
    chosen = [path for path in there if path.stem == component]
    if not chosen:
        names = ", ".join(path.stem for path in there) or "none yet: drawdown up"
        raise StackError(f"no log of {component or 'anything'} in {home.logs}; there are: {names}")
    return chosen


@dataclass(frozen=True)
class PoolsAnswer:
    """What the metrics service answered, as it came and as it reads."""

    raw: str
    pools: list[Pool]


def pools(home: Home) -> PoolsAnswer:
    """Ask the running metrics service for the pools."""
    port = _port_of(home, "metrics")
    try:
        answer = httpx.get(f"http://{LOOPBACK}:{port}/v1/pools", timeout=ANSWER_SECONDS, trust_env=False)
        answer.raise_for_status()
        return PoolsAnswer(answer.text, msgspec.json.decode(answer.content, type=Page[Pool]).items)
    except (httpx.HTTPError, msgspec.MsgspecError) as error:
        raise StackError(f"the metrics service does not answer as expected ({error}): drawdown status") from error


def token(home: Home, *, subject: str, scopes: Iterable[str], minutes: int, new_key: bool) -> str:
    """Sign an access token; nothing has to run for that."""
    if new_key:
        issuer.rotate_keys(home)
    wanted = list(scopes)
    client = issuer.client_for(wanted)
    return issuer.mint(home, subject=subject, scopes=wanted, client=client, lifetime=timedelta(minutes=minutes))


def console_consumer(home: Home, topic: str, more: list[str]) -> int:
    """Run Kafka's console consumer on the running broker, from the beginning or `--offset`; answers its exit code."""
    shown = [f"--formatter-property=print.{what}=true" for what in ("headers", "key")]
    begin = [] if any(argument.startswith("--offset") for argument in more) else ["--from-beginning"]
    return _console(home, "consumer.ConsoleConsumer", topic, [*begin, *shown, *more])


def console_producer(home: Home, topic: str, more: list[str]) -> int:
    """Run Kafka's console producer, which reads lines as the consumer prints them; answers its exit code."""
    read = [f"--reader-property=parse.{what}=true" for what in ("headers", "key")]
    return _console(home, "ConsoleProducer", topic, [*read, *more])


def _console(home: Home, tool: str, topic: str, arguments: list[str]) -> int:
    bootstrap = f"{LOOPBACK}:{_port_of(home, 'kafka')}"
    command = [*kafka.java_command(home, kafka_classpath()), f"org.apache.kafka.tools.{tool}"]
    return subprocess.run(
        [*command, "--bootstrap-server", bootstrap, "--topic", topic, *arguments], check=False
    ).returncode


def demo(home: Path | None, *, companies: int, seed: int, finance: Manner, as_json: bool) -> int:
    """Run the demonstration; answers its exit code."""
    from stack import demo as demonstration  # noqa: PLC0415  # loads all of the simulators

    return demonstration.run(home, companies=companies, seed=seed, finance=finance, as_json=as_json)


def _port_of(home: Home, component: str) -> int:
    known = state.read(home)
    port = known.port(component) if known else None
    if port is None:
        raise StackError(f"no {component} runs in {home.path}: drawdown up")
    return port
