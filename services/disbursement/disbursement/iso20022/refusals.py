"""A file is taken whole or not at all; this says why not, and on which line."""

from contracts.common import Text


class FileRefusedError(Exception):
    """A file that can't be trusted: nothing of it counts.

    ``line`` is the one that is wrong, from 1. ``code`` is stable, ``text`` names what is wrong there.
    """

    def __init__(self, line: int, code: str, text: Text) -> None:
        super().__init__(f"line {line}: {code}: {text.en}")
        self.line = line
        self.code = code
        self.text = text
