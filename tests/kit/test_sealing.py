"""Sealing: what comes back, what does not, how a keyring's file is read and read again."""

import base64
import json
import secrets
from pathlib import Path
from uuid import uuid4

import pytest

from contracts.common import Account
from kit import accounts, masking, sealing
from kit.errors import PermanentError, SetupError
from kit.sealing import Keyring, SealedError

NUMBER = b"6222020200012345678"
ABOUT = "account:1"


def key() -> str:
    return base64.b64encode(secrets.token_bytes(sealing.KEY_BYTES)).decode()


def write(path: Path, *ids: str, compare: str | None = None, keys: dict[str, str] | None = None) -> dict[str, str]:
    """Write a keyring; return its keys, so that they can be written again."""
    known = {key_id: (keys or {}).get(key_id) or key() for key_id in ids}
    listed = [{"id": key_id, "key": value} for key_id, value in known.items()]
    path.write_text(json.dumps({"keys": listed, "compare": compare or key()}))
    return known


def test_what_is_sealed_can_be_opened_where_it_belongs_and_nowhere_else() -> None:
    keyring = Keyring.fresh()
    sealed = keyring.seal(NUMBER, ABOUT)
    assert keyring.open(sealed, ABOUT) == NUMBER
    assert NUMBER.decode() not in sealed
    assert keyring.seal(NUMBER, ABOUT) != sealed, "the same looks different each time"
    with pytest.raises(SealedError, match="account:2 can't be opened"):
        keyring.open(sealed, "account:2")


@pytest.mark.parametrize("place", [-1, -10, -30])
def test_a_changed_value_is_not_opened(place: int) -> None:
    keyring = Keyring.fresh()
    sealed = keyring.seal(NUMBER, ABOUT)
    other = "A" if sealed[place - 1] != "A" else "B"
    with pytest.raises(SealedError):
        keyring.open(sealed[: place - 1] + other + sealed[place:], ABOUT)


@pytest.mark.parametrize("count", range(1, 5))
def test_a_value_is_opened_as_it_was_written_and_not_otherwise(count: int) -> None:
    """The last character of base64 has bits left over, and decoders overlook what is none of its characters."""
    keyring = Keyring.fresh()
    sealed = keyring.seal(b"1" * count, ABOUT)
    body, padding = sealed.rstrip("="), sealed[len(sealed.rstrip("=")) :]
    for number in range(128):
        if (other := body[:-1] + chr(number) + padding) != sealed:
            with pytest.raises(SealedError):
                keyring.open(other, ABOUT)
    with pytest.raises(SealedError):
        keyring.open(body[:-4] + "!" + body[-4:] + padding, ABOUT)


@pytest.mark.parametrize("value", ["", "6222020200012345678", "v1.", "v1.fresh", sealing.ERASED, "v1.fresh.AAAA"])
def test_what_is_not_sealed_is_told_so(value: str) -> None:
    with pytest.raises(SealedError):
        Keyring.fresh().open(value, ABOUT)


def test_fingerprints_are_equal_for_equals_and_need_the_key() -> None:
    keyring = Keyring.fresh()
    assert keyring.fingerprint("a", "b") == keyring.fingerprint("a", "b")
    assert keyring.fingerprint("ab", "") != keyring.fingerprint("a", "b")
    assert keyring.fingerprint("a", "b") != Keyring.fresh().fingerprint("a", "b")


def test_the_first_key_seals_and_the_others_open(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    keys = write(path, "old")
    sealed = Keyring.read(path, "KEYRING").seal(NUMBER, ABOUT)
    write(path, "new", "old", keys=keys)
    keyring = Keyring.read(path, "KEYRING")
    assert keyring.open(sealed, ABOUT) == NUMBER
    again = keyring.reseal(sealed, ABOUT)
    assert (sealing.key_of(sealed), sealing.key_of(again)) == ("old", "new")


def test_a_keyring_that_meets_a_new_key_reads_its_file_again(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    keys = write(path, "old")
    keyring = Keyring.read(path, "KEYRING")
    write(path, "new", "old", keys=keys)
    sealed = Keyring.read(path, "KEYRING").seal(NUMBER, ABOUT)
    assert keyring.open(sealed, ABOUT) == NUMBER
    assert keyring.current == "new"


def test_a_file_that_was_spoilt_is_left_for_the_keys_at_hand(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    write(path, "old")
    keyring = Keyring.read(path, "KEYRING")
    sealed = keyring.seal(NUMBER, ABOUT)
    path.write_text("half a f")
    assert not keyring.refresh()
    assert keyring.open(sealed, ABOUT) == NUMBER


def test_a_key_that_was_destroyed_is_named(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    write(path, "old")
    sealed = Keyring.read(path, "KEYRING").seal(NUMBER, ABOUT)
    write(path, "new")
    with pytest.raises(SealedError, match="sealed under the key 'old', which the keyring lacks"):
        Keyring.read(path, "KEYRING").open(sealed, ABOUT)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it has to be"),
        ("[]", "it has to be"),
        ('{"keys": [], "compare": ""}', "it has no key"),
        ('{"keys": [{"id": "a", "key": "short"}], "compare": ""}', "the key 'a'"),
        ('{"keys": [{"id": "a", "key": "QUJD"}], "compare": ""}', "the key 'a' has 3 bytes; it has to have 32"),
        ('{"keys": [{"id": "A b", "key": ""}], "compare": ""}', "the key id 'A b'"),
        ('{"keys": [{"id": "erased", "key": ""}], "compare": ""}', "the key id 'erased'"),
    ],
)
def test_a_malformed_keyring_is_one_line_that_says_where(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "keyring.json"
    path.write_text(text)
    with pytest.raises(SetupError) as caught:
        Keyring.read(path, "INTAKE_KEYRING_FILE")
    assert str(caught.value).startswith(f"INTAKE_KEYRING_FILE: {path} is no keyring: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_keyring_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"INTAKE_KEYRING_FILE: .* can't be read .*: restore the keyring"):
        Keyring.read(tmp_path / "nothing", "INTAKE_KEYRING_FILE")


# --- accounts and masks ---------------------------------------------------------------------------------------------

ACCOUNT = Account("测试公司", "6222 0202 0001 2345 678", "ICBKCNBJ")


def test_an_account_is_carried_masked_and_opened_for_its_application_only() -> None:
    keyring, application = Keyring.fresh(), uuid4()
    carried = accounts.carried(keyring, application, ACCOUNT, "测试公司")
    assert (carried.name, carried.account, carried.bank_code) == ("测试公司", "****5678", "ICBKCNBJ")
    assert accounts.opened(keyring, application, carried) == ACCOUNT
    assert accounts.carried(keyring, application, carried) is carried
    with pytest.raises(SealedError):
        accounts.opened(keyring, uuid4(), carried)


def test_a_holder_that_is_not_the_company_is_masked() -> None:
    assert accounts.carried(Keyring.fresh(), uuid4(), ACCOUNT, "另一公司").name == "测**"


def test_a_mask_without_what_it_hides_is_refused() -> None:
    with pytest.raises(PermanentError, match="a mask without what it hides"):
        accounts.carried(Keyring.fresh(), uuid4(), Account("A", "****1234", "B"))


def test_beside_older_processes_nothing_is_sealed() -> None:
    keyring = Keyring({"a": bytes(32)}, bytes(32), seals=False)
    assert accounts.carried(keyring, uuid4(), ACCOUNT) is ACCOUNT


def test_masks() -> None:
    assert masking.number("12345678") == "****5678"
    assert masking.number("1234567") == "****", "four of seven would be most of it"
    assert masking.email("wang@example.cn") == "w***@example.cn"
    assert masking.name("王小明") == "王**"
    assert all(map(masking.is_masked, (masking.number("1"), masking.email("a@b.c"), masking.name("王"))))
