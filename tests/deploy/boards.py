"""You are at the committed dashboards, as Grafana reads them: their panels, their queries, what variables stand for."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import promql_parser

from tests.deploy.watching import ROOT

Object = dict[str, Any]
GRAFANA: Final = ROOT / "deploy" / "grafana"
FILES: Final = sorted((GRAFANA / "dashboards").glob("*.json"))
# What Grafana puts in the place of its own variables, for a short range.
INTERVALS: Final = {"__rate_interval": "1m", "__range": "10m"}
_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))")


class Asked(msgspec.Struct, frozen=True):
    """One query and where it is asked. ``range_`` says whether over a range of time, or now."""

    board: str
    panel: str
    expression: str
    range_: bool = False

    @property
    def where(self) -> str:
        return f"{self.board}: {self.panel}: {self.expression}"


def read(path: Path) -> Object:
    found: Object = json.loads(path.read_text(encoding="utf-8"))
    return found


def dashboards() -> dict[str, Object]:
    """Return the dashboards by uid. Two of one uid would replace each other in Grafana."""
    found = [read(path) for path in FILES]
    assert len({each["uid"] for each in found}) == len(found)
    return {each["uid"]: each for each in found}


def panels(board: Object) -> list[Object]:
    """Return the panels that ask something: all but the rows."""
    return [each for each in board["panels"] if each["type"] != "row"]


def variables(board: Object) -> dict[str, Object]:
    return {each["name"]: each for each in board["templating"]["list"]}


def asked() -> list[Asked]:
    """Return every query of every dashboard, those of marks and of variables among them."""
    return [each for board in dashboards().values() for each in _asked(board)]


def _asked(board: Object) -> Iterator[Asked]:
    for panel in panels(board):
        for target in panel["targets"]:
            yield Asked(board["uid"], panel["title"], target["expr"], bool(target["range"]))
    for mark in board["annotations"]["list"]:
        yield Asked(board["uid"], mark["name"], mark["expr"], range_=True)
    for name, variable in variables(board).items():
        if variable["type"] == "query":
            values = re.fullmatch(r"label_values\((\S+), (\w+)\)", variable["query"])
            assert values, variable["query"]
            yield Asked(board["uid"], f"${name}", f"count by ({values[2]}) ({values[1]})")


def substituted(expression: str, values: Mapping[str, str]) -> str:
    """Return a query as Grafana sends it. Fails on a variable that nobody gives."""

    def given(match: re.Match[str]) -> str:
        return (INTERVALS | dict(values))[match[1] or match[2]]

    return _VARIABLE.sub(given, expression)


def used(text: str) -> set[str]:
    """Return the variables that a text names."""
    return {bare or braced for braced, bare in _VARIABLE.findall(text)}


def series(expression: str) -> set[str]:
    """Return the series that a query names, by Prometheus' own grammar. Raises ValueError where that takes it not."""
    found: set[str] = set()

    def look(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.add(node.name or "")
        return True

    promql_parser.walk(promql_parser.parse(expression), look)
    return found
