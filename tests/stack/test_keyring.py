"""The stack's keyring: made once, for its owner only; a key put in front, a key destroyed; as the services read it."""

from pathlib import Path

import pytest

from kit.sealing import Keyring, SealedError
from stack import keyring
from stack.errors import ConfigurationError
from stack.home import Home, open_home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path)


def read(home: Home) -> Keyring:
    return Keyring.read(home.keyring_file, "INTAKE_KEYRING_FILE")


def test_it_is_made_once_and_only_its_owner_reads_it(home: Home) -> None:
    keyring.create(home)
    made = home.keyring_file.read_text()
    keyring.create(home)
    assert home.keyring_file.read_text() == made
    assert home.keyring_file.stat().st_mode & 0o777 == 0o600


def test_a_new_key_seals_and_the_old_one_opens_until_it_is_destroyed(home: Home) -> None:
    keyring.create(home)
    sealed = read(home).seal(b"6222", "account:1")
    newest, old = keyring.rotate(home)
    assert (read(home).current, read(home).open(sealed, "account:1")) == (newest, b"6222")
    keyring.drop(home, old)
    with pytest.raises(SealedError, match="which the keyring lacks"):
        read(home).open(sealed, "account:1")


def test_the_key_that_seals_and_one_that_is_not_there_are_not_destroyed(home: Home) -> None:
    keyring.create(home)
    [only] = read(home).key_ids
    with pytest.raises(ConfigurationError, match="is the key that seals: drawdown privacy rotate first"):
        keyring.drop(home, only)
    with pytest.raises(ConfigurationError, match="the keyring has no key k9"):
        keyring.drop(home, "k9")
    assert read(home).key_ids == [only]


def test_a_spoilt_keyring_is_never_written_over(home: Home) -> None:
    home.keyring_file.write_text("half a f")
    keyring.create(home)
    with pytest.raises(ConfigurationError, match="is no keyring"):
        keyring.rotate(home)
    assert home.keyring_file.read_text() == "half a f"
