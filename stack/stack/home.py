"""You are where the stack's files live: one data directory per stack, one cache shared by all stacks of a user.

.drawdown/
  kafka/1/  postgres/       data, kept between starts
  passwords.json            the database logins, readable by their owner only
  keyring.json              the keys that accounts and contacts are stored under, readable by their owner only
  issuer/                   the keys of the local issuer of access tokens
  logs/<component>.log      one file per process
  state.json                what runs: process ids, start times, ports
"""

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from stack.errors import StackError

DEFAULT_HOME = ".drawdown"


@dataclass(frozen=True)
class Home:
    """The data directory, with a name for each place in it."""

    path: Path

    @property
    def kafka(self) -> Path:
        return self.path / "kafka"

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    @property
    def documents(self) -> Path:
        return self.path / "documents"

    @property
    def passwords_file(self) -> Path:
        return self.path / "passwords.json"

    @property
    def keyring_file(self) -> Path:
        return self.path / "keyring.json"

    @property
    def issuer(self) -> Path:
        return self.path / "issuer"

    @property
    def signing_key_file(self) -> Path:
        return self.issuer / "signing.json"

    @property
    def jwks_file(self) -> Path:
        return self.issuer / "jwks.json"

    @property
    def state_file(self) -> Path:
        return self.path / "state.json"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    def log(self, component: str) -> Path:
        """The file that takes all that one component prints."""
        return self.logs / f"{component}.log"


def home_at(path: Path | None = None) -> Home:
    """The data directory at `path`, else at DRAWDOWN_HOME, else `.drawdown` here; it need not be there."""
    return Home((path or Path(os.environ.get("DRAWDOWN_HOME") or DEFAULT_HOME)).expanduser().absolute())


def open_home(path: Path | None = None) -> Home:
    """The same, created when it is not there. Raises StackError where that can't be."""
    home = home_at(path)
    try:
        home.logs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StackError(f"can't write to {home.path}: {error.strerror}; choose another place with --home") from error
    return home


def cache_dir() -> Path:
    """Where downloads are kept for every data directory of this user: DRAWDOWN_CACHE, else the platform's place."""
    chosen = os.environ.get("DRAWDOWN_CACHE")
    return Path(chosen).expanduser().absolute() if chosen else platformdirs.user_cache_path("drawdown")


def write_private(path: Path, text: str) -> None:
    """Written whole or not at all, and never readable by others, not even for a moment."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
