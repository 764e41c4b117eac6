"""The hash chain of a pool's transfers: what an auditor recomputes with nothing but JSON and SHA-256."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

# A pool's first transfer has no predecessor.
GENESIS: Final = "0" * 64


def transfer_hash(data: Mapping[str, Any]) -> str:
    """Return the SHA-256, in hex, of a transfer.posted's data without its ``hash`` field.

    The data are written as JSON with sorted keys, no spaces and unescaped UTF-8. ``previous_hash`` is one of the
    fields, which is what makes the transfers a chain.
    """
    content = {name: value for name, value in data.items() if name != "hash"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
