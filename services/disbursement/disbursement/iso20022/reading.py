"""Reads what a bank sends, whichever of the known messages it is."""

from collections.abc import Callable, Mapping
from typing import Final

from disbursement.iso20022 import camt054, pain002
from disbursement.iso20022.document import Document
from disbursement.iso20022.messages import Kind, Statement
from disbursement.iso20022.opening import opened

READERS: Final[Mapping[Kind, Callable[[Document], Statement]]] = {"pain.002": pain002.read, "camt.054": camt054.read}


def read(content: bytes) -> Statement:
    """Return what a file says, all of it. Raises FileRefusedError, which names the line, if any of it can't be taken.

    Seconds of a core for 10,000 payments: not for an event loop. Threads may read at the same time.
    """
    document = opened(content)
    return READERS[document.kind](document)
