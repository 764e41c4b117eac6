"""You are where a page's commands are run: what of a page is run, by whom, and whether the answers are the page's.

A fence's first line says what becomes of it:

    ```console run       what follows `$ ` is run by one bash for the whole page; lines with four spaces go on with it.
                         What is below has to be the answer: `...` stands for anything, white space for nothing, and
                         what is new each time (ids, times, dates, codes) for any other of its kind.
    ```console run wait  the same, each command again until the answer is the page's: for what takes a moment
    ```console run kcat  the same, where the program `kcat` is installed
    ```json file=a.json  is saved as `a.json` beside the commands, as the reader does
    anything else        is for reading only
"""

import asyncio
import os
import re
import shutil
import signal
import textwrap
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

PATIENCE_SECONDS: Final = 120.0
COMMAND_SECONDS: Final = 120.0
_AGAIN_SECONDS: Final = 0.2
_SHELL_ENDED: Final = -1
_NEEDED: Final = ("kcat",)
_FENCE: Final = re.compile(r"^```\w+ ((?:run|file=)[^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_STEP: Final = re.compile(r"^\$ (.*\n(?: {4}.*\n)*)((?:(?!\$ ).*\n)*)", re.MULTILINE)
_NEW_EACH_TIME: Final = (
    (re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?7[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}"), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"), "<time>"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "<date>"),
    (re.compile(r"\b([A-Z]{2})-\d{4}-\d{6}\b"), r"<\1 number>"),
    (re.compile(r"\b([A-Z]{2})(-[0-9A-Z]{4}){4}\b"), r"<\1 code>"),
)


@dataclass(frozen=True)
class Block:
    """A fence of a page that is run or saved; ``line`` is where it begins."""

    line: int
    words: tuple[str, ...]
    text: str

    @property
    def saved_as(self) -> str | None:
        return next((word.removeprefix("file=") for word in self.words if word.startswith("file=")), None)

    @property
    def lacks(self) -> str | None:
        """The program that it needs and that is not here."""
        return next((word for word in self.words if word in _NEEDED and shutil.which(word) is None), None)

    def steps(self) -> Iterator[tuple[str, str]]:
        """Yield each command with the answer that the page shows."""
        yield from ((found[1].strip(), found[2]) for found in _STEP.finditer(self.text))


def blocks(page: str) -> list[Block]:
    return [
        Block(page.count("\n", 0, found.start()) + 1, tuple(found[1].split()), found[2])
        for found in _FENCE.finditer(page)
    ]


def agrees(shown: str, answered: str) -> bool:
    """Return whether an answer is the one that the page shows, but for what is new each time."""
    pattern = ".*?".join(re.escape(_plain(part)) for part in shown.split("..."))
    return re.fullmatch(pattern, _plain(answered), re.DOTALL) is not None


def _plain(text: str) -> str:
    for kind, name in _NEW_EACH_TIME:
        text = kind.sub(name, text)
    return "".join(text.split())


class Reader:
    """Somebody who does what a page says, in a directory of their own, on the ports of the running stack."""

    def __init__(self, folder: Path, environment: Mapping[str, str], addresses: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = {**os.environ, **environment}
        self._addresses = addresses  # as the pages have them, and as they are here

    async def __aenter__(self) -> Self:
        self._bash = await asyncio.create_subprocess_exec(
            "bash", "--norc", cwd=self._folder, env=self._environment, stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, start_new_session=True, limit=2**24,
        )  # fmt: skip
        self._say("set -uo pipefail")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._bash.pid, signal.SIGKILL)  # and whatever it left in the background
        await self._bash.wait()

    async def follow(self, name: str, page: str) -> list[str]:
        """Do what the page says, in its order; return what could not be done here. AssertionError where it is wrong."""
        left_out = []
        for block in blocks(page):
            if block.lacks:
                left_out.append(f"line {block.line} needs {block.lacks}")
            elif block.saved_as:
                (self._folder / block.saved_as).write_text(self._here(block.text), "utf-8")
            else:
                for command, shown in block.steps():
                    await self._try(f"{name}, line {block.line}", command, shown, wait="wait" in block.words)
        return left_out

    async def _try(self, where: str, command: str, shown: str, *, wait: bool) -> None:
        deadline = time.monotonic() + (PATIENCE_SECONDS if wait else 0.0)
        while True:
            code, answered = await asyncio.wait_for(self._run(command), COMMAND_SECONDS)
            if code == 0 and agrees(self._here(shown), answered):
                return
            if code == _SHELL_ENDED or time.monotonic() > deadline:
                seen = textwrap.indent(answered, "    ")
                raise AssertionError(
                    f"{where}\n$ {command}\nshows\n{textwrap.indent(shown, '    ')}\ngave {code}\n{seen}"
                )
            await asyncio.sleep(_AGAIN_SECONDS)  # as a reader does who looks again

    async def _run(self, command: str) -> tuple[int, str]:
        (self._folder / ".command").write_text(self._here(command) + "\n", "utf-8")
        self._say("source ./.command < /dev/null; _ended=$?; echo; echo '--- ended' $_ended")
        assert self._bash.stdout is not None
        try:
            answered = await self._bash.stdout.readuntil(b"\n--- ended ")
        except asyncio.IncompleteReadError as error:  # an unset variable, or `exit`
            return _SHELL_ENDED, error.partial.decode()
        return int(await self._bash.stdout.readline()), answered.decode().removesuffix("\n--- ended ")

    def _say(self, line: str) -> None:
        assert self._bash.stdin is not None
        self._bash.stdin.write(f"{line}\n".encode())

    def _here(self, text: str) -> str:
        for shown, real in self._addresses.items():
            text = text.replace(shown, real)
        return text
