"""You are at the faults of processes: killed, paused, short of CPU (F1, F2, F4, F5, F14, and the simulators)."""

import asyncio
import sys
from typing import Final

import psutil

from tests.faults.sabotage import NotHappenedError, Saboteur, controller

_KILLED: Final = -9
_SESSION_SECONDS: Final = 11.0  # the consumers' sessions last 10 s
_BURNING: Final = "while True: pass"


async def kill_service(by: Saboteur) -> str:
    """F1: SIGKILL of any service process, at a random moment."""
    name = by.random.choice(by.system.services)
    async with by.system.busy[name]:
        return _all_killed(name, await by.system.stack.crash([name], by.random.choice((0.0, 0.0, 2.0))))


async def kill_both(by: Saboteur) -> str:
    """F1: both processes of one service at once: nobody is left to take over."""
    first = by.random.choice([name for name in by.system.services if "-" not in name])
    async with by.system.busy[first], by.system.busy[f"{first}-2"]:
        return _all_killed(first, await by.system.stack.crash([first, f"{first}-2"], by.random.uniform(0, 3)))


async def zombie(by: Saboteur) -> str:
    """F2: a process sleeps longer than its session and its leases last, and wakes as if nothing had been."""
    name = by.random.choice([name for name in by.system.services if not name.startswith("metrics")])
    async with by.system.busy[name]:
        return _stopped(name, await by.system.pause(name, _SESSION_SECONDS + by.random.uniform(0, 3)))


async def hiccup(by: Saboteur) -> str:
    """F3: a process stands still for less than its session, as one whose event loop is blocked."""
    name = by.random.choice(by.system.services)
    async with by.system.busy[name]:
        return _stopped(name, await by.system.pause(name, by.random.uniform(2, 6)))


async def kill_broker(by: Saboteur) -> str:
    """F4: one broker."""
    return await _kill_brokers(by, [by.random.choice(by.system.brokers)])


async def kill_two_brokers(by: Saboteur) -> str:
    """F4: two of three: no partition has enough replicas left to take a record."""
    return await _kill_brokers(by, by.random.sample(by.system.brokers, min(2, len(by.system.brokers))))


async def kill_controller(by: Saboteur) -> str:
    """F4: the one that leads the cluster."""
    return await _kill_brokers(by, [await controller(by.system)])


async def kill_all_brokers(by: Saboteur) -> str:
    """F4: all at the same moment."""
    return await _kill_brokers(by, by.system.brokers)


async def pause_broker(by: Saboteur) -> str:
    """F5: a broker that holds its connections and answers nothing."""
    async with by.system.kafka_busy:
        name = by.random.choice(by.system.brokers)
        return _stopped(name, await by.system.pause(name, by.random.uniform(3, 12)))


async def burn_cpu(by: Saboteur) -> str:
    """F14: two processes that take all the CPU they get."""
    burners = [await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", _BURNING) for _ in range(2)]
    try:
        await asyncio.sleep(by.random.uniform(4, 8))
        burnt = sum(psutil.Process(burner.pid).cpu_times().user for burner in burners)
    finally:
        for burner in burners:
            burner.kill()
            await burner.wait()
    if burnt < 1:
        raise NotHappenedError(f"only {burnt:.1f} s of CPU were taken")
    return f"{burnt:.1f} s of CPU taken"


async def kill_finance(by: Saboteur) -> str:
    """F15: the finance system dies between paying and reporting; it reports when it is back."""
    async with by.system.busy["finance"]:
        return _all_killed("finance", await by.system.stack.crash(["finance"], by.random.uniform(0, 3)))


async def silent_finance(by: Saboteur) -> str:
    """F15: the finance system answers nothing for a while: each payment's outcome is unknown."""
    async with by.system.busy["finance"]:
        return _stopped("finance", await by.system.pause("finance", by.random.uniform(4, 10)))


async def _kill_brokers(by: Saboteur, names: list[str]) -> str:
    async with by.system.kafka_busy:
        return _all_killed(" ".join(names), await by.system.stack.crash(names, by.random.choice((0, 1, 4, 8))))


def _all_killed(names: str, ended: list[int | None]) -> str:
    if set(ended) != {_KILLED}:
        raise NotHappenedError(f"{names} ended with {ended}, not by SIGKILL")
    return f"{names} ended by SIGKILL"


def _stopped(name: str, seen: str) -> str:
    if seen != psutil.STATUS_STOPPED:
        raise NotHappenedError(f"{name} was {seen}, not stopped")
    return f"{name} was stopped"
