"""Documents that a request refers to."""

from typing import Any

from intake import rules


def check(documents: list[Any], statement: Any = None) -> None:
    """Refuse references to documents: none can be uploaded yet, so none can exist."""
    if documents:
        raise rules.unknown_document("/documents/0", documents[0])
    if statement is not None:
        raise rules.unknown_document("/usage/statement", statement)
