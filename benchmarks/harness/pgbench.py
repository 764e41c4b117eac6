"""pgbench, for orientation: statements without Python."""

import asyncio
import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from benchmarks.harness.rounds import Run
from stack import pgdata

_DONE: Final = re.compile(r"number of transactions actually processed: (\d+)")
_LONGEST_SECONDS: Final = 60.0
_RATE: Final = re.compile(r"tps = ([\d.]+) \(without initial connection time\)")


async def run(dsn: str, script: str, seconds: float, directory: Path, *, clients: int, units: int = 1) -> Run:
    """Run a script against a database; return what pgbench counted, ``units`` for each transaction.

    Where no transaction ends in so many seconds, it has twice as many: nothing can be said of none.
    """
    path = directory / "script.pgbench"
    path.write_text(script, encoding="utf-8")
    while True:
        done, rate = await _counted(dsn, path, max(1, round(seconds)), clients)
        if done or seconds > _LONGEST_SECONDS:
            break
        seconds = 2 * max(1, seconds)
    if not done:
        raise RuntimeError(f"pgbench ended no transaction in {seconds:.0f} s")
    return Run(done * units, done / rate)


async def _counted(dsn: str, path: Path, seconds: int, clients: int) -> tuple[int, float]:
    """Run it once; return how many transactions ended, and how many a second."""
    address = urlsplit(dsn)
    process = await asyncio.create_subprocess_exec(
        *(str(pgdata.programs() / "pgbench"), "-n", "-M", "prepared", "-c", str(clients), "-j", "2"),
        *("-T", str(seconds), "-f", str(path), "-h", str(address.hostname), "-p", str(address.port)),
        *("-U", str(address.username), address.path.lstrip("/")),
        env={"PGPASSWORD": str(address.password)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await process.communicate())[0].decode()
    done, rate = _DONE.search(said), _RATE.search(said)
    if process.returncode or done is None:
        raise RuntimeError(f"pgbench failed: {said[-500:]}")
    return int(done[1]), float(rate[1]) if rate else 0.0
