"""You are where the keys come from that accounts and contacts are stored under: made once per data directory.

The first key of the file seals, the others only open. The services read it again by themselves when it has changed.
"""

import base64
import json
import secrets
from typing import Any, Final

from stack.errors import ConfigurationError
from stack.home import Home, write_private

KEY_BYTES: Final = 32  # AES-256, HMAC-SHA-256


def create(home: Home) -> None:
    """Make the keyring where there is none."""
    if not home.keyring_file.exists():
        _write(home, {"keys": [_new_key(1)], "compare": _secret()})


def rotate(home: Home) -> list[str]:
    """Put a new key in front, which seals from now on; answer the ids of all, the new one first."""
    held = _read(home)
    keys = [_new_key(len(held["keys"]) + 1), *held["keys"]]
    _write(home, {**held, "keys": keys})
    return [key["id"] for key in keys]


def drop(home: Home, key_id: str) -> None:
    """Destroy a key: what is still sealed under it, wherever that is, can never be opened again."""
    held = _read(home)
    ids = [key["id"] for key in held["keys"]]
    if key_id not in ids:
        raise ConfigurationError(f"the keyring has no key {key_id}, but {', '.join(ids)}")
    if key_id == ids[0]:
        raise ConfigurationError(f"{key_id} is the key that seals: drawdown privacy rotate first")
    _write(home, {**held, "keys": [key for key in held["keys"] if key["id"] != key_id]})


def _new_key(number: int) -> dict[str, str]:
    return {"id": f"k{number}-{secrets.token_hex(3)}", "key": _secret()}


def _secret() -> str:
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _read(home: Home) -> dict[str, Any]:
    try:
        held: dict[str, Any] = json.loads(home.keyring_file.read_text(encoding="utf-8"))
        assert held["keys"], "it has no key"
    except OSError as error:
        raise ConfigurationError(f"{home.keyring_file} can't be read ({error.strerror}): restore it") from error
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        raise ConfigurationError(f"{home.keyring_file} is no keyring ({error}): restore it") from error
    return held


def _write(home: Home, held: dict[str, Any]) -> None:
    write_private(home.keyring_file, json.dumps(held, indent=2) + "\n")
