"""The catalogue of problems: what each stable ``code`` of a refusal or an error means, and what cures it.

Whoever raises a code describes it, in a file `problems.toml` beside its code: kit those of every service, each
service its own. The documents that callers read are made from these files, and the titles of answers come from them.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from contracts.common import Text


class Problem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One code, in two languages. ``title`` is short and stable; the detail of an answer is never repeated in it.

    ``status`` lists the HTTP statuses that it comes with, ``cause`` says how a caller gets there, ``cure`` what to do.
    """

    status: tuple[int, ...]
    title: Text
    meaning: Text
    cause: Text
    cure: Text


Catalogue = Mapping[str, Problem]


def read(path: Path) -> dict[str, Problem]:
    """Return the problems that a file describes, by code, in its order. Raises ValueError where it is incomplete."""
    return msgspec.convert(tomllib.loads(path.read_text("utf-8")), dict[str, Problem])
