"""Who calls, by its token: a portal sees what it sent, officers and auditors see everything."""

from typing import Final

from kit.access import Principal

READERS: Final = ("portal", "officer", "auditor")
_SEE_ALL: Final = frozenset({"officer", "auditor"})


def client_of(person: Principal) -> str:
    """Return the program that calls: it owns what it sends."""
    return person.client or person.subject


def viewer(person: Principal) -> str | None:
    """Return whose things the caller may see; None for all."""
    return None if person.scopes & _SEE_ALL else client_of(person)
