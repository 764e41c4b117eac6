"""Masks: what people are shown of a number, a name, an address that they know anyway. A mask always has a ``*``."""

from typing import Final

HIDDEN: Final = "****"
_SHOWN: Final = 4
_SHORTEST: Final = 8  # of a shorter one, four characters would be half of it


def number(value: str) -> str:
    """Return the last four characters of an account's or telephone's number: ``****1234``."""
    characters = "".join(character for character in value if character.isalnum())
    return HIDDEN + characters[-_SHOWN:] if len(characters) >= _SHORTEST else HIDDEN


def name(value: str) -> str:
    """Return the first character of a name: ``王**``."""
    return f"{value[:1]}**"


def email(value: str) -> str:
    """Return an address with the first character of its local part: ``w***@example.cn``."""
    local, _, domain = value.rpartition("@")
    return f"{local[:1]}***@{domain}"


def is_masked(value: str) -> bool:
    """Return whether this is, or may be, a mask and not the value."""
    return "*" in value
