"""You are at the words in which boards are defined: a board has rows, a row has panels, a panel asks Prometheus.

Nothing here knows Grafana's JSON (``render``) or the page for people (``reference``).
"""

from collections.abc import Iterator
from typing import Final, Literal

import msgspec
from grafana_foundation_sdk.models import units

YUAN: Final = "currency:¥"  # Grafana has no preset for it: its preset of the sign is the yen
COUNT: Final = str(units.Short)
SHARE: Final = str(units.PercentUnit)
SECONDS: Final = str(units.Seconds)
DAYS: Final = str(units.Days)
BYTES: Final = str(units.BytesIEC)
BYTES_PER_SECOND: Final = str(units.BytesPerSecondIEC)
PER_SECOND: Final = str(units.OpsPerSecond)
REQUESTS: Final = str(units.RequestsPerSecond)
MOMENT: Final = str(units.DatetimeISO)
TEXT: Final = str(units.String)
SQUARE_METRES: Final = str(units.SquareMeters)

GREEN, ORANGE, RED, BLUE, GREY = "green", "orange", "red", "blue", "text"
OF_STATES: Final = {"available": GREEN, "committed": BLUE, "obligated": ORANGE, "disbursed": "purple"}

Shape = Literal["number", "bars", "lines", "stack", "table"]


class Link(msgspec.Struct, frozen=True):
    """Where a click leads: a board by its name here ("pool"), with variables, or a bare address."""

    title: str
    url: str


class Query(msgspec.Struct, frozen=True):
    """PromQL and what its series are called (`{{label}}`). In a table, ``legend`` heads the column.

    ``unit`` is only for a column whose unit differs from its panel's.
    """

    expression: str
    legend: str = ""
    unit: str = ""


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """One picture. ``question`` is its description: what it answers first, then how to read it.

    ``id`` never changes: alerts link to it. ``steps`` are the values from which a colour holds, drawn where there are
    lines. ``alerts`` are those that lead here; each becomes a link to its page. ``names`` head a table's columns of
    labels.
    """

    id: int
    title: str
    question: str
    queries: tuple[Query, ...]
    unit: str
    shape: Shape = "lines"
    width: int = 12
    height: int = 8
    decimals: int | None = None
    least: float | None = None
    most: float | None = None
    steps: tuple[tuple[float, str], ...] = ()
    below: str = GREEN
    """The colour below the first step."""
    texts: dict[str, tuple[str, str]] = {}
    colours: dict[str, str] = {}
    alerts: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    names: dict[str, str] = {}
    pivot: tuple[str, str] | None = None
    """For a table: the label whose values head the columns, and the label whose values head the rows."""
    sort_by: str = ""


class Row(msgspec.Struct, frozen=True):
    title: str
    panels: tuple[Panel, ...]


class Variable(msgspec.Struct, frozen=True):
    """What the reader chooses: a value of ``label`` that ``series`` has, or several and all."""

    name: str
    title: str
    series: str
    label: str
    many: bool = False


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """One dashboard. Its uid is ``drawdown-`` and its name; ``since`` is the range that it opens with."""

    name: str
    title: str
    question: str
    since: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()
    links: tuple[Link, ...] = ()
    trace: bool = False
    """Whether it has a field for a trace's id, for its links."""

    @property
    def uid(self) -> str:
        return f"drawdown-{self.name}"

    @property
    def panels(self) -> Iterator[Panel]:
        for row in self.rows:
            yield from row.panels


def to_board(name: str, **variables: str) -> str:
    """Return the address of another board, with the reader's range and data source, and variables."""
    chosen = "".join(f"&var-{variable}={value}" for variable, value in variables.items())
    return f"/d/drawdown-{name}?${{__url_time_range}}&${{datasource:queryparam}}{chosen}"


def label(name: str) -> str:
    """Return what stands for a label's value in the link of a series."""
    return f"${{__field.labels.{name}}}"


def cell(name: str) -> str:
    """Return what stands for a column's value in the link of a table's row."""
    return f"${{__data.fields.{name}}}"
