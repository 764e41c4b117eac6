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


def seal(transfer: TransferPosted) -> bytes:
    """Put the hash that ``transfer_hash`` gives for its data into a new transfer, whose hash is empty; return the data.

    They are its JSON with sorted keys: it is written once, to be hashed, stored and published.
    """
    before, cut, after = _SORTED.encode(transfer).partition(_NO_HASH)
    assert cut, f"the transfer {transfer.transfer_id} is sealed already"
    digest = hashlib.sha256(before + after).hexdigest()
    msgspec.structs.force_setattr(transfer, "hash", digest)  # nobody else has it yet; a copy costs ten times as much
    return b'%b"hash":"%b",%b' % (before, digest.encode(), after)
