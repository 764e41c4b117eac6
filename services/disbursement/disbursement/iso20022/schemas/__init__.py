"""The official schemas, unmodified (README.md beside me says where they are from), and how a tree is held to one."""

from functools import cache
from importlib import resources

from lxml import etree


def first_error(tree: etree._ElementTree, version: str) -> etree._LogEntry | None:
    """Return the first thing in a tree that its message version, e.g. ``pain.001.001.09``, forbids; None if valid."""
    if _compiled(version).validate(tree):
        return None
    own = _load(version)  # the error log of the shared one is anybody's who validates at this moment
    assert not own.validate(tree), "the same schema says the same"
    return own.error_log[0]


@cache
def _compiled(version: str) -> etree.XMLSchema:
    return _load(version)


def _load(version: str) -> etree.XMLSchema:
    source = resources.files(__name__).joinpath(f"{version}.xsd").read_bytes()
    return etree.XMLSchema(etree.fromstring(source))
