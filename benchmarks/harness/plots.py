"""Plots as SVG: bars, one panel per comparison. (A plotting library would be most of what a checkout installs.)"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

Panels = dict[str, dict[str, float]]

_WIDTH: Final = 760
_LABELS: Final = 190  # pixels for the bars' names, on the left
_NUMBERS: Final = 90  # and for their values, on the right
_LINE: Final = 24


def bars(path: Path, title: str, panels: Mapping[str, Mapping[str, float]]) -> None:
    """Draw each panel's values as horizontal bars with their numbers; each panel has a scale of its own."""
    drawn = [*_drawn(title, panels)]
    height = (len(drawn) + 1) * _LINE
    lines = [f'<g transform="translate(0 {number * _LINE})">{line}</g>' for number, line in enumerate(drawn)]
    style = "text{font:13px sans-serif;fill:#222}.title{font-weight:bold}rect{fill:#3b6ea5}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}">'
    ground = f'<path fill="#fff" d="M0 0h{_WIDTH}v{height}H0z"/>'
    path.write_text("\n".join([head, f"<style>{style}</style>", ground, *lines, "</svg>\n"]), encoding="utf-8")


def _drawn(title: str, panels: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    yield _text(10, title, "title")
    for name, values in panels.items():
        yield ""
        yield _text(10, name, "title")
        longest = max(values.values(), default=0) or 1
        for label, value in values.items():
            width = round((_WIDTH - _LABELS - _NUMBERS) * value / longest)
            bar = f'<rect x="{_LABELS}" y="5" width="{max(1, width)}" height="{_LINE - 8}"/>'
            yield _text(20, label) + bar + _text(_LABELS + width + 6, f"{value:,.0f}")


def _text(x: int, words: str, kind: str = "") -> str:
    return f'<text x="{x}" y="18" class="{kind}">{escape(words)}</text>'
