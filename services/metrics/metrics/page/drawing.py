"""Draws the page: the template with a view, and the files that belong to it under names that change with them."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from metrics.page import amounts
from metrics.page.latest import Shown
from metrics.page.view import View
from metrics.page.words import LANGUAGES, Language, Words
from metrics.programme import Programme
from metrics.rules.disclosure import LEAST_COMPANIES

_FILES: Final = Path(__file__).parent / "files"
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_DIGITS: Final = 16


class File(msgspec.Struct, frozen=True):
    """What the page needs beside itself. ``version`` changes with the content."""

    name: str
    content: bytes
    media_type: str
    version: str

    @property
    def place(self) -> str:
        return f"/page/{self.name}?v={self.version}"


@cache
def files() -> dict[str, File]:
    """Return the page's files by name."""
    found = {}
    for path in sorted(_FILES.iterdir()):
        if path.suffix in _TYPES:
            content = path.read_bytes()
            found[path.name] = File(path.name, content, _TYPES[path.suffix], digest(content))
    return found


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGITS]


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_FILES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("status.html.j2")


@cache
def version() -> str:
    """Return what changes when a page that is open should be loaded anew."""
    template = (_FILES / "status.html.j2").read_bytes()
    return digest(b"".join([template, *(file.content for file in files().values())]))


def draw(shown: Shown, programme: Programme, language: Language) -> bytes:
    """Return the page, in UTF-8."""
    words = Words(language)
    return (
        _template()
        .render(
            view=View(shown, programme, words),
            words=words,
            languages=[Words(each) for each in LANGUAGES],
            files={name: file.place for name, file in files().items()},
            version=version(),
            least=LEAST_COMPANIES,
            rounded=lambda fen: amounts.rounded(fen, language),
            bare=amounts.bare,
            exact=lambda fen: amounts.exact(fen, language),
        )
        .encode()
    )
