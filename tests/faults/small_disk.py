"""You are at a small disk: some component's data on a file system of their own, whose free room can be taken away.

It is a tmpfs, which Linux lets whoever may mount have (root). It is full when it is made as small as what it holds: the
kernel then refuses every further block with ENOSPC, as on any full disk, and nothing has to fill it.
"""

import ctypes
import os
import shutil
import subprocess
from errno import EINVAL
from pathlib import Path
from typing import Final

_ROOM_BYTES: Final = 8 << 30  # a limit, not a reserve: memory is taken by what is written only
_REMOUNT: Final = 32  # MS_REMOUNT and MNT_DETACH of sys/mount.h
_DETACH: Final = 2
_TRIES: Final = 100


class SmallDisk:
    """A disk for the data in ``folder``; they move when ``move`` is called, and no run without that needs a mount."""

    def __init__(self, folder: Path, mounted_at: Path) -> None:
        self._folder = folder
        self._disk = mounted_at

    @property
    def mounted(self) -> bool:
        return self._disk.is_mount()

    @property
    def holds_the_data(self) -> bool:
        return self._folder.is_symlink()

    def mount(self) -> None:
        """Raises PermissionError where mounting is not allowed."""
        self._disk.mkdir(parents=True, exist_ok=True)
        _mount(self._disk, 0, _ROOM_BYTES)

    def move(self) -> None:
        """Put the data onto the disk. Nobody may have them open."""
        large = self._folder.with_suffix(".large")
        _copy(self._folder, self._disk)
        self._folder.rename(large)
        self._folder.symlink_to(self._disk)
        shutil.rmtree(large)

    def fill(self) -> None:
        """Leave no block free."""
        for _ in range(_TRIES):
            held = os.statvfs(self._disk)
            try:
                _mount(self._disk, _REMOUNT, (held.f_blocks - held.f_bfree) * held.f_frsize)
            except OSError as error:
                if error.errno != EINVAL:  # it has grown since we looked
                    raise
            else:
                return
        raise OSError(EINVAL, f"{self._disk} grows too fast to be filled")

    def free(self) -> None:
        """Give the room back."""
        _mount(self._disk, _REMOUNT, _ROOM_BYTES)

    def give_back(self) -> None:
        """Put the data where they were, so that they outlive the mount."""
        if self.holds_the_data:
            self._folder.unlink()
            self._folder.mkdir()
            _copy(self._disk, self._folder)
        if self.mounted:
            _check(ctypes.CDLL(None, use_errno=True).umount2(os.fsencode(self._disk), _DETACH), self._disk)


def _copy(source: Path, target: Path) -> None:
    """All of it, with owners and rights: PostgreSQL insists on both."""
    subprocess.run(["cp", "-a", f"{source}/.", target], check=True)


def _mount(where: Path, flags: int, size_bytes: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    _check(libc.mount(b"tmpfs", os.fsencode(where), b"tmpfs", flags, f"size={size_bytes}".encode()), where)


def _check(result: int, where: Path) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(where))
