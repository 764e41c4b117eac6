"""You are where ports are chosen: the documented ones, or free ones, always on the loopback interface."""

import random
import socket
from collections.abc import Iterable, Mapping

import psutil

from stack.errors import StackError

LOOPBACK = "127.0.0.1"
# Below the range that systems hand out to outgoing connections, so that nobody takes one between choosing and binding.
_FREE_RANGE = range(15_000, 32_000)
_TRIES = 200


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback interface now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what just closed does not count as taken
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def free_ports(count: int) -> list[int]:
    """`count` different ports that nobody listens on."""
    chosen: set[int] = set()
    for candidate in random.SystemRandom().sample(_FREE_RANGE, _TRIES + count):
        if len(chosen) < count and is_free(candidate):
            chosen.add(candidate)
    if len(chosen) < count:
        raise StackError(f"found no {count} free ports in {_FREE_RANGE.start}-{_FREE_RANGE.stop}: close some servers")
    return sorted(chosen)


def require_free(ports: Mapping[str, int]) -> None:
    """Raise StackError naming the first component whose port is taken, by whom, and how to choose another."""
    for component, port in ports.items():
        if not is_free(port):
            raise StackError(
                f"port {port} for {component} is in use{by_whom(port)}: stop that,"
                f" or choose another with --{component}-port, or start with --free-ports"
            )


def by_whom(port: int) -> str:
    """` by <name> (pid n)` where the system tells; it tells an ordinary user only of the user's own processes."""
    try:
        listeners = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return ""
    return next((_name(c.pid) for c in listeners if c.pid and _listens(c.laddr, c.status, port)), "")


def _listens(address: object, status: str, port: int) -> bool:
    return status == psutil.CONN_LISTEN and getattr(address, "port", None) == port


def _name(pid: int) -> str:
    try:
        return f" by {psutil.Process(pid).name()} (pid {pid})"
    except psutil.NoSuchProcess:
        return ""


def endpoints(ports: Iterable[int]) -> str:
    """`127.0.0.1:9092,127.0.0.1:9093`, the form in which Kafka's clients take several brokers."""
    return ",".join(f"{LOOPBACK}:{port}" for port in ports)
