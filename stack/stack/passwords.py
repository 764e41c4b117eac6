"""You are where the database logins' passwords are made, once per data directory, and kept for their owner only."""

import json
import secrets
from collections.abc import Iterable
from pathlib import Path

from stack.errors import ConfigurationError
from stack.home import write_private


def load_or_create(path: Path, logins: Iterable[str], *, may_create: bool) -> dict[str, str]:
    """The password of each login.

    Raises ConfigurationError when the file is gone though the cluster that it opens is there, or lacks a login.
    """
    if not path.exists():
        if not may_create:
            raise ConfigurationError(f"{path} is missing, and the databases can't be opened without it: restore it")
        write_private(path, json.dumps({login: secrets.token_urlsafe(24) for login in logins}, indent=2))
    passwords: dict[str, str] = json.loads(path.read_text())
    if missing := sorted(set(logins) - passwords.keys()):
        raise ConfigurationError(f"{path} lacks a password for {', '.join(missing)}: restore it")
    return passwords
