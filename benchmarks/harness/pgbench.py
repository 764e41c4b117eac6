"""pgbench, for orientation: statements without Python."""

import asyncio
import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from benchmarks.harness.rounds import Run
from stack import pgdata

_DONE: Final = re.compile(r"number of transactions actually processed: (\d+)")
_LONGEST_SECONDS: Final = 60
_RATE: Final = re.compile(r"tps = ([\d.]+) \(without initial connection time\)")


async def run(dsn: str, script: str, seconds: float, directory: Path, *, clients: int, units: int = 1) -> Run:
    """Run a script against a database; return what pgbench counted, ``units`` for each transaction.

    Where no transaction ends in so many seconds, it has twice as many: nothing can be said of none.
    """
    path = directory / "script.pgbench"
    path.write_text(script, encoding="utf-8")
    given = max(1, round(seconds))
    while (counted := await _counted(dsn, path, given, clients)) is None:
        if given > _LONGEST_SECONDS:
            raise RuntimeError(f"pgbench ended no transaction in {given} s")
        given *= 2
    done, rate = counted
    return Run(done * units, done / rate)


async def _counted(dsn: str, path: Path, seconds: int, clients: int) -> tuple[int, float] | None:
    """Run it once; return how many transactions ended, and how many a second. None where none did."""
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
    if process.returncode == 0 and done is not None and int(done[1]) == 0:
        return None
    if process.returncode or done is None or rate is None:
        raise RuntimeError(f"pgbench failed: {said[-500:]}")
    return int(done[1]), float(rate[1])
