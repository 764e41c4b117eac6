"""You are between the supervisor and a process that it starts: you make the child die with its parent, then become it.

    python -I -S guard.py PARENT_PID SIGNAL UID:GID COMMAND [ARGUMENT...]

Run as a file on a bare interpreter (about 20 ms), because code between fork and exec in a threaded parent is unsafe.
`UID:GID` is `-` to stay who we are. Linux forgets the death signal when the user changes, hence the order here.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid: int, signal_number: int) -> None:
    """Ask the kernel for `signal_number` when the parent's thread ends. Other systems have no such call: there the
    next start finds what a killed supervisor left.
    """
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent_pid:
        sys.exit("the parent ended before its child began")


def become(user: str) -> None:
    """Give up root for `uid:gid`: PostgreSQL refuses to run as root."""
    if user == "-":
        return
    uid, gid = (int(part) for part in user.split(":"))
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def main(parent_pid: str, signal_number: str, user: str, *command: str) -> None:
    """Take the three steps and turn into the command; a missing command is one line in the component's log."""
    become(user)
    die_with_parent(int(parent_pid), int(signal_number))
    try:
        os.execv(command[0], command)  # noqa: S606  # no shell is the point
    except OSError as error:
        sys.exit(f"can't run {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(*sys.argv[1:])
