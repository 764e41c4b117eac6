"""You are at the older version that an upgrade begins with: a commit of this repository, taken out with git."""

import io
import subprocess
import tarfile
from pathlib import Path
from typing import Final

from stack.errors import StackError
from stack.grants import SERVICES

# The commit before the tables of reconciliation were added: the oldest that today's migrations lead on from.
FROM: Final = "3c39d979eb15df5c0c45c009e17ad4f40505186e"
POLICIES: Final = "ELIGIBILITY_POLICIES_DIR"
OLDER: Final = "-older"
"""What the folder of the documents that it can read is called, behind the name of the folder of all."""

REPOSITORY: Final = Path(__file__).parents[2]
_ROOMS: Final = ("contracts", "kit", *(f"services/{service}" for service in SERVICES))


def take_out(folder: Path) -> str:
    """Take the older version out of the repository; return the PYTHONPATH under which a service is that version.

    Raises StackError where there is no repository, or a shallow one.
    """
    git = ["git", "-C", str(REPOSITORY), "archive", "--format=tar", FROM, *_ROOMS]
    found = subprocess.run(git, capture_output=True, check=False)
    if found.returncode:
        raise StackError(f"{FROM[:12]} is not in this repository: {found.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return ":".join(str(folder / room) for room in _ROOMS)
