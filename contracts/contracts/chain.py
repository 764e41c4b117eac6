"""The hash chain of a pool's transfers: what an auditor recomputes with nothing but JSON and SHA-256."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from contracts.events import TransferPosted

# A pool's first transfer has no predecessor.
GENESIS: Final = "0" * 64

_SORTED: Final = msgspec.json.Encoder(order="sorted")
_NO_HASH: Final = b'"hash":"",'  # nowhere else in a transfer's JSON: within a text the quotes would be escaped


def transfer_hash(data: Mapping[str, Any]) -> str:
    """Return the SHA-256, in hex, of a transfer.posted's data without its ``hash`` field.

    The data are written as JSON with sorted keys, no spaces and unescaped UTF-8. ``previous_hash`` is one of the
    fields, which is what makes the transfers a chain. Numbers are whole: there are no fractions in a transfer.
    """
    content = {name: value for name, value in data.items() if name != "hash"}
    return hashlib.sha256(_SORTED.encode(content)).hexdigest()


def sealed(transfer: TransferPosted) -> tuple[TransferPosted, bytes]:
    """Return a transfer, whose hash is empty, with the hash that ``transfer_hash`` gives for its data; and those data.

    They are its JSON with sorted keys: it is written once, to be hashed, stored and published.
    """
    before, cut, after = _SORTED.encode(transfer).partition(_NO_HASH)
    assert cut, f"the transfer {transfer.transfer_id} is sealed already"
    digest = hashlib.sha256(before + after).hexdigest()
    return msgspec.structs.replace(transfer, hash=digest), b'%b"hash":"%b",%b' % (before, digest.encode(), after)
