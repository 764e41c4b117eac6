"""PostgreSQL's files after an accident: what is cleaned up, and what is only explained."""

import os
import subprocess

import pytest

from stack import passwords, pgdata
from stack.errors import ConfigurationError, StackError
from stack.home import Home
from stack.postgres import Postgres


def test_an_interrupted_initdb_is_begun_again(home: Home) -> None:
    data = home.postgres / "data"
    draft = home.postgres / "data.new"
    draft.mkdir(parents=True)
    (draft / "half").write_text("a cluster")
    pgdata.create(data, "postgres", "secret")
    assert (data / "PG_VERSION").read_text().strip() == "18"
    assert not draft.exists()


@pytest.mark.parametrize("pid", [os.getpid(), 2**22 - 1], ids=["of another program", "of nobody"])
def test_a_lock_of_a_killed_server_is_removed(home: Home, pid: int) -> None:
    (home.path / "postmaster.pid").write_text(f"{pid}\n{home.path}\n")
    pgdata.clear_stale_lock(home.path)
    assert not (home.path / "postmaster.pid").exists()


def test_a_lock_of_a_running_server_is_respected(postgres: Postgres, stack_home: Home) -> None:
    data = stack_home.postgres / "data"
    with pytest.raises(StackError, match=r"PostgreSQL \(pid \d+\) already runs on .*: drawdown down"):
        pgdata.clear_stale_lock(data)
    assert (data / "postmaster.pid").exists()
    assert postgres.child.alive


def test_lost_passwords_are_explained(home: Home) -> None:
    with pytest.raises(ConfigurationError, match=r"passwords.json is missing.*restore it"):
        passwords.load_or_create(home.passwords_file, ["intake"], may_create=False)


def test_a_login_without_password_is_explained(home: Home) -> None:
    passwords.load_or_create(home.passwords_file, ["intake"], may_create=True)
    with pytest.raises(ConfigurationError, match=r"lacks a password for metrics"):
        passwords.load_or_create(home.passwords_file, ["intake", "metrics"], may_create=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives up root")
def test_the_server_does_not_run_as_root(postgres: Postgres) -> None:
    identity = postgres.child.identity
    assert identity is not None
    owner = subprocess.run(["ps", "-o", "uid=", "-p", str(identity.pid)], capture_output=True, text=True, check=True)
    assert int(owner.stdout) != 0
