"""You are at the faults of clocks: a service's process believes that it is an hour later, or earlier (F13)."""

import asyncio
import signal
import time
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from tests.faults.clock import CLOCKS
from tests.faults.sabotage import Saboteur, until

_HOUR: Final = 3600.0
_CLOSE_SECONDS: Final = 30.0


async def clock_jumps(by: Saboteur) -> str:
    """F13: the clock of a process jumps by an hour, then two hours the other way, then it is right again."""
    name = by.random.choice(by.system.services)
    first = by.random.choice((_HOUR, -_HOUR))
    async with by.system.busy[name]:
        told = []
        try:
            for ahead in (first, -first):
                told.append(await _set(by, name, ahead))
                await asyncio.sleep(by.random.uniform(3, 6))
        finally:
            await _set(by, name, 0)
    return f"{name} answered with a clock that was {' and '.join(told)} ahead"


async def _set(by: Saboteur, name: str, ahead: float) -> str:
    """Set the clock and return how far ahead the process's answers say that it is."""
    process = by.system.process(name)
    file = by.system.home.path / CLOCKS / str(process.pid)
    file.parent.mkdir(exist_ok=True)
    file.write_text(str(ahead))
    process.send_signal(signal.SIGUSR1)
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:

        async def jumped() -> str | None:
            try:
                answer = await client.get(f"{by.system.stack.urls[name]}/health/live")
            except httpx.TransportError:
                return None
            seen = parsedate_to_datetime(answer.headers["date"]).timestamp() - time.time()
            return f"{seen:.0f} s" if abs(seen - ahead) < _CLOSE_SECONDS else None

        return str(await until(jumped, f"{name} with a clock {ahead:.0f} s ahead"))
