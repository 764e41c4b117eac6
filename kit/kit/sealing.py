"""Sealing: what names or pays a person is stored encrypted, under keys that can be changed while the service runs.

A sealed value is text: ``v1.<key id>.<base64url of nonce and ciphertext>`` (AES-256-GCM, NIST SP 800-38D). It is bound
to what it is ``about``, a record and a field: copied to another place, it can't be opened there. The key id stands
outside, so that the database can say which rows a key still has.

The keyring is a file. Its first key seals, the others only open. Where two values have to be compared without being
opened, their fingerprints are: an HMAC under a key of its own.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.ext.asyncio import AsyncConnection

from kit.errors import PermanentError, SetupError
from kit.logging import get_logger

log = get_logger(__name__)

KEY_BYTES: Final = 32
ERASED: Final = "v1.erased."
"""Stands where something was sealed and is no more."""

_NONCE_BYTES: Final = 12
_VERSION: Final = "v1"
_OPTION: Final = "keyring"
_KEY_ID: Final = re.compile("[a-z0-9][a-z0-9-]{0,31}")
_RESERVED: Final = "erased"


class SealedError(PermanentError):
    """A sealed value can't be opened: it was changed, stands in another place, or its key is gone."""


class Keyring:
    """Seals and opens. Reads its file again when it meets a key that it does not know, or is asked to."""

    def __init__(
        self, keys: Mapping[str, bytes], compare: bytes, path: Path | None = None, *, seals: bool = True
    ) -> None:
        """``keys`` by id, the sealing one first; ``compare`` is the key of the fingerprints.

        ``seals`` is false while processes run beside that can't open: then what is new is written in clear.
        """
        self.seals = seals
        self._path = path
        self._read_at = _changed_at(path)
        self._take(keys, compare)

    @classmethod
    def read(cls, path: Path, variable: str, *, seals: bool = True) -> "Keyring":
        """Return the keyring of a file. Raises SetupError that names ``variable`` where it is missing or malformed."""
        try:
            keys, compare = _parse(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise SetupError(f"{variable}: {path} can't be read ({error.strerror}): restore the keyring") from error
        except ValueError as error:
            raise SetupError(f"{variable}: {path} is no keyring: {error}") from error
        return cls(keys, compare, path, seals=seals)

    @classmethod
    def fresh(cls) -> "Keyring":
        """Return a keyring that is kept nowhere, for tests and benchmarks."""
        return cls({"fresh": secrets.token_bytes(KEY_BYTES)}, secrets.token_bytes(KEY_BYTES))

    def _take(self, keys: Mapping[str, bytes], compare: bytes) -> None:
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._compare = compare
        self.current = next(iter(keys))
        self._seals_with = self._ciphers[self.current]

    @property
    def key_ids(self) -> list[str]:
        """Return the ids of all keys, the sealing one first."""
        return list(self._ciphers)

    def refresh(self) -> bool:
        """Read the file again if it was changed; return whether other keys are in it now.

        One that can't be read is reported and left: the keys at hand are still right.
        """
        changed_at = _changed_at(self._path)
        if self._path is None or changed_at == self._read_at:
            return False
        self._read_at, before = changed_at, self.key_ids
        try:
            keys, compare = _parse(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            log.exception("keyring_unread", path=str(self._path), reason=str(error))
            return False
        self._take(keys, compare)
        log.info("keyring_read", key_ids=self.key_ids)
        return self.key_ids != before

    def seal(self, data: bytes, about: str) -> str:
        """Return ``data`` sealed under the first key, bound to what it is about."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._seals_with.encrypt(nonce, data, about.encode())
        return f"{_VERSION}.{self.current}.{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, sealed: str, about: str) -> bytes:
        """Return what was sealed. Raises SealedError."""
        key_id = key_of(sealed)
        cipher = self._ciphers.get(key_id)
        if cipher is None and self.refresh():
            cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise SealedError(f"{about} is sealed under the key {key_id!r}, which the keyring lacks: put it back")
        try:
            raw = _decoded(sealed.rpartition(".")[2])
            return cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], about.encode())
        except (InvalidTag, ValueError) as error:
            raise SealedError(f"{about} can't be opened: it was changed, or sealed for another place") from error

    def reseal(self, sealed: str, about: str) -> str:
        """Return the same under the first key."""
        return self.seal(self.open(sealed, about), about)

    def fingerprint(self, *parts: str) -> str:
        """Return what is equal for equal parts, and tells nothing about them to whoever lacks the key."""
        said = json.dumps(parts, ensure_ascii=False).encode()
        return hmac.new(self._compare, said, hashlib.sha256).hexdigest()


def key_of(sealed: str) -> str:
    """Return the id of the key that something is sealed under. Raises SealedError for what is not sealed."""
    version, _, rest = sealed.partition(".")
    key_id, separator, _ = rest.partition(".")
    if version != _VERSION or not separator:
        raise SealedError("this is no sealed value")
    return key_id


def _decoded(text: str) -> bytes:
    """Return what base64url stands for. Raises ValueError unless it is written as we write it.

    The library overlooks foreign characters and the bits that the last one has left over.
    """
    found = base64.urlsafe_b64decode(text)
    if base64.urlsafe_b64encode(found).decode() != text:
        raise ValueError("this is not how base64url is written")
    return found


def is_sealed(data: bytes) -> bool:
    """Return whether bytes are a sealed value; JSON, XML and the like never begin so."""
    return data.startswith(b"v1.")


def keyring_of(connection: AsyncConnection) -> Keyring:
    """Return the keyring of what is stored over this connection (``Database``)."""
    found = keyring_if_any(connection)
    assert found is not None, "this database was opened without a keyring"
    return found


def keyring_if_any(connection: AsyncConnection) -> Keyring | None:
    """Return the keyring, or None of a database that holds nothing of persons."""
    sync = connection.sync_connection
    found: Keyring | None = None if sync is None else sync.get_execution_options().get(_OPTION)
    return found


def execution_options(keyring: Keyring | None) -> dict[str, Any]:
    """Return the options by which a connection carries its keyring."""
    return {} if keyring is None else {_OPTION: keyring}


# --- the file -------------------------------------------------------------------------------------------------------


def _parse(text: str) -> tuple[dict[str, bytes], bytes]:
    """Return the keys and the key of the fingerprints. Raises ValueError that says what is wrong, never a key."""
    try:
        held = json.loads(text)
        listed = [(each["id"], each["key"]) for each in held["keys"]]
        compare = held["compare"]
    except (ValueError, TypeError, KeyError):
        raise ValueError('it has to be {"keys": [{"id": "...", "key": "..."}, ...], "compare": "..."}') from None
    if not listed:
        raise ValueError("it has no key")
    keys = {}
    for key_id, encoded in listed:
        if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id) or key_id == _RESERVED or key_id in keys:
            raise ValueError(f"the key id {key_id!r} is taken, or is not of a-z, 0-9 and -, 32 characters at most")
        keys[key_id] = _key(encoded, f"the key {key_id!r}")
    return keys, _key(compare, "the key 'compare'")


def _key(encoded: Any, what: str) -> bytes:
    try:
        found = base64.b64decode(encoded, validate=True)
    except (TypeError, ValueError):
        raise ValueError(f"{what} is not in base64") from None
    if len(found) != KEY_BYTES:
        raise ValueError(f"{what} has {len(found)} bytes; it has to have {KEY_BYTES}")
    return found


def _changed_at(path: Path | None) -> int | None:
    try:
        return None if path is None else path.stat().st_mtime_ns
    except OSError:
        return None
