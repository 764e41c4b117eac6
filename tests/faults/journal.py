"""You are at the operations log: each try of each request, appended to a file of JSON lines, with its result.

A try is ``ok`` (2xx), ``fail`` (an answer that says no for good) or ``unknown`` (a time-out, a lost connection, a
5xx): whoever got no answer knows nothing. The checks read the file back, not the memory of who wrote it.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

Result = Literal["ok", "fail", "unknown"]
Purpose = Literal["first", "repeated", "other_body"]


@dataclass(frozen=True, kw_only=True)
class Try:
    """One line. ``purpose`` tells a request from one that is sent again on purpose after its answer.

    ``seconds`` is how long the try took; ``lost`` names what happened where there was no answer.
    """

    at: float
    key: str
    number: int
    purpose: Purpose
    method: str
    path: str
    door: str
    result: Result
    lost: str
    seconds: float
    status: int | None
    request: str
    answer: str


class Journal:
    """Appends; every line is handed to the system before the caller goes on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = 0
        self._file: IO[str] = path.open("a", buffering=1)

    def note(self, **fields: Any) -> None:
        entry = Try(at=time.time(), **fields)
        self._file.write(json.dumps(entry.__dict__, ensure_ascii=False) + "\n")
        self.lines += 1

    def close(self) -> None:
        self._file.close()


def read(path: Path) -> Iterator[Try]:
    """Yield every try, in the order in which they ended."""
    with path.open() as file:
        for line in file:
            yield Try(**json.loads(line))
