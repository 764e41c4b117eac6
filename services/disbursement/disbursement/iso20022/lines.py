"""The line on which an element begins, also where libxml2 no longer knows it."""

import re
from typing import Final

from lxml import etree

# libxml2 keeps a line in 16 bits and guesses from the neighbours beyond, now and then one too many.
LAST_KNOWN: Final = 65_534
_START_TAG: Final = re.compile(rb"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|<[^/!?]", re.DOTALL)


class Lines:
    """Answers for the elements of one parsed file. ``content`` is the file: UTF-8, well-formed, without a DTD."""

    def __init__(self, content: bytes, root: etree._Element) -> None:
        self._content = content
        self._root = root
        self._exact: dict[etree._Element, int] | None = None

    def of(self, element: etree._Element) -> int:
        line = element.sourceline
        assert line is not None, "a parsed element has a line"
        if line <= LAST_KNOWN:
            return line
        if self._exact is None:
            self._exact = _exact_lines(self._content, self._root)
        return self._exact[element]


def _exact_lines(content: bytes, root: etree._Element) -> dict[etree._Element, int]:
    """Return every element's line: the n-th start tag of the file is the n-th element of the tree."""
    lines: list[int] = []
    line, last = 1, 0
    for tag in _START_TAG.finditer(content):
        line += content.count(b"\n", last, tag.start())
        last = tag.start()
        if tag.group()[1:2] not in (b"!", b"?"):
            lines.append(line)
    return dict(zip(root.iter("*"), lines, strict=True))
