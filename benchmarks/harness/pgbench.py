"""pgbench, for orientation: statements without Python."""

import asyncio
import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from benchmarks.harness.rounds import Run
from stack import pgdata

_DONE: Final = re.compile(r"number of transactions actually processed: (\d+)")
_RATE: Final = re.compile(r"tps = ([\d.]+) \(without initial connection time\)")


async def run(dsn: str, script: str, seconds: float, directory: Path, *, clients: int, units: int = 1) -> Run:
    """Run a script against a database; return what pgbench counted, ``units`` for each transaction."""
    address = urlsplit(dsn)
    path = directory / "script.pgbench"
    path.write_text(script, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(str(pgdata.programs() / "pgbench"), "-n", "-M", "prepared", "-c", str(clients), "-j", "2"),
        *("-T", str(max(1, round(seconds))), "-f", str(path), "-h", str(address.hostname), "-p", str(address.port)),
        *("-U", str(address.username), address.path.lstrip("/")),
        env={"PGPASSWORD": str(address.password)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await process.communicate())[0].decode()
    done, rate = _DONE.search(said), _RATE.search(said)
    if process.returncode or done is None or rate is None:
        raise RuntimeError(f"pgbench failed: {said[-500:]}")
    return Run(int(done[1]) * units, int(done[1]) / float(rate[1]))
