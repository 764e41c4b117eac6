"""You are where the database logins' passwords are made, once per data directory, and kept for their owner only."""

import json
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from stack.errors import ConfigurationError


def load_or_create(path: Path, logins: Iterable[str], *, may_create: bool) -> dict[str, str]:
    """The password of each login.

    Raises ConfigurationError when the file is gone though the cluster that it opens is there, or lacks a login.
    """
    if not path.exists():
        if not may_create:
            raise ConfigurationError(f"{path} is missing, and the databases can't be opened without it: restore it")
        _write(path, {login: secrets.token_urlsafe(24) for login in logins})
    passwords: dict[str, str] = json.loads(path.read_text())
    if missing := sorted(set(logins) - passwords.keys()):
        raise ConfigurationError(f"{path} lacks a password for {', '.join(missing)}: restore it")
    return passwords


def _write(path: Path, passwords: dict[str, str]) -> None:
    """Written whole or not at all, and never readable by others, not even for a moment."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(passwords, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
