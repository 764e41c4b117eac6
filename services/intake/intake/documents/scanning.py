"""The hook for a virus scanner: any program that takes a file's path as its last argument.

Exit code 0: nothing found. 1: found something, the document is quarantined. Anything else: it could not look. Those are
the codes of ``clamdscan --fdpass --no-summary``.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

from kit.errors import TransientError

_FOUND: Final = 1
_SAID: Final = 300  # characters of what it printed that are kept


class Scanner:
    """Runs the operator's program on each upload; without one nothing is scanned."""

    def __init__(self, command: Sequence[str], seconds: float) -> None:
        self._command = command
        self._seconds = seconds

    @property
    def looks(self) -> bool:
        return bool(self._command)

    async def finding(self, path: str) -> str | None:
        """Return what the scanner found in a file, or None. Raises TransientError when it could not look."""
        try:
            running = await asyncio.create_subprocess_exec(
                *self._command, path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
            )
        except OSError as error:
            raise TransientError(f"the scanner {self._command[0]} can't be started: {error.strerror}") from error
        try:
            said, _ = await asyncio.wait_for(running.communicate(), self._seconds)
        except TimeoutError as error:
            with contextlib.suppress(ProcessLookupError):
                running.kill()
            await running.wait()
            raise TransientError(f"the scanner {self._command[0]} took more than {self._seconds:.0f} s") from error
        words = " ".join(said.decode(errors="replace").split())[:_SAID]
        if running.returncode not in (0, _FOUND):
            raise TransientError(f"the scanner {self._command[0]} failed ({running.returncode}): {words}")
        return words or "found something" if running.returncode == _FOUND else None
