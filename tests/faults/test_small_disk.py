"""A small disk is full when it is told to be, and its data outlive it."""

from collections.abc import Iterator
from errno import ENOSPC
from pathlib import Path

import pytest

from tests.faults.small_disk import SmallDisk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "old").write_text("kept")
    disk = SmallDisk(folder, tmp_path / "disks" / "data")
    try:
        disk.mount()
    except PermissionError:
        pytest.skip("mounting a tmpfs is not allowed here: run it as root, or as the README of tests/faults says")
    yield disk
    disk.give_back()


def test_a_full_disk_refuses_what_it_takes_once_it_is_freed(disk: SmallDisk, tmp_path: Path) -> None:
    disk.move()
    more = tmp_path / "data" / "more"
    disk.fill()
    with pytest.raises(OSError, match="No space left") as refused:
        more.write_bytes(b"x" * 100_000)
    assert refused.value.errno == ENOSPC
    disk.free()
    assert more.write_bytes(b"x" * 100_000) == 100_000


def test_the_data_are_where_they_were_when_it_is_given_back(disk: SmallDisk, tmp_path: Path) -> None:
    disk.move()
    (tmp_path / "data" / "new").write_text("kept too")
    disk.give_back()
    assert not (tmp_path / "data").is_symlink()
    assert {path.name: path.read_text() for path in (tmp_path / "data").iterdir()} == {"old": "kept", "new": "kept too"}
    assert not disk.mounted
