"""The page of all commands: what the `drawdown` program says of itself. It is asked as one; nothing is imported."""

import subprocess
import sys


def text() -> str:
    """Return the page as it stands in its file: what `python -m stack.reference` prints."""
    asked = [sys.executable, "-m", "stack.reference"]
    return subprocess.run(asked, check=True, stdout=subprocess.PIPE).stdout.decode()  # noqa: S603  # our own program
