"""Turns a board into Grafana's classic JSON, by Grafana's own SDK."""

import re
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

import msgspec
from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as of
from grafana_foundation_sdk.models import dashboard as to
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.grafana.model import Board, Link, Panel, Query, Variable

TAG: Final = "drawdown"
TRACES: Final = "drawdown-traces"
_SOURCE: Final = of.DataSourceRef(type_val="prometheus", uid="${datasource}")
_ROW_IDS_FROM: Final = 1000

Builder = stat.Panel | bargauge.Panel | timeseries.Panel | table.Panel
Pages = Mapping[str, str]
"""Where each alert's page is, from the folder of the runbooks on: `pools.md#poolabove80percent`."""


def text(board: Board, pages: Pages, runbooks: str) -> str:
    """Return a board's JSON. ``runbooks`` is the address of docs/runbooks as readers reach it."""
    built = _dashboard(board, pages, runbooks).build()
    return JSONEncoder(indent=2, sort_keys=True, ensure_ascii=False).encode(built) + "\n"


def _dashboard(board: Board, pages: Pages, runbooks: str) -> dashboard.Dashboard:
    found = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.question)
        .tags([TAG])
        .readonly()
        .refresh("1m")
        .time(board.since, "now")
        .timezone("browser")
        .tooltip(to.DashboardCursorSync.CROSSHAIR)
        .annotation(_alerts())
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(dashboard.ConstantVariable("runbooks").value(runbooks))
    )
    for variable in board.variables:
        found.with_variable(_variable(variable))
    if board.trace:
        found.with_variable(dashboard.TextBoxVariable("trace").label("Trace id").default_value(""))
    found.link(_boards())
    for link in (*board.links, Link("Runbooks", "${runbooks}/README.md")):
        found.link(_link(link))
    for number, row in enumerate(board.rows):
        found.with_row(dashboard.Row(row.title).id(_ROW_IDS_FROM + number))
        for panel in row.panels:
            found.with_panel(_panel(panel, pages))
    return found


def _alerts() -> dashboard.AnnotationQuery:
    """Mark when something fired, over every panel with a time."""
    query = 'max by (alertname, pool, service) (ALERTS{alertstate="firing"})'
    return (
        dashboard.AnnotationQuery().name("Alerts").datasource(_SOURCE).enable(enable=True).icon_color("red").expr(query)
    )


def _variable(variable: Variable) -> dashboard.QueryVariable:
    found = (
        dashboard.QueryVariable(variable.name)
        .label(variable.title)
        .datasource(_SOURCE)
        .query(f"label_values({variable.series}, {variable.label})")
        .refresh(to.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(to.VariableSort.ALPHABETICAL_ASC)
    )
    if variable.many:
        everything = to.VariableOption(selected=True, text="All", value="$__all")
        found.multi(multi=True).include_all(include_all=True).all_value(".*").current(everything)
    return found


def _boards() -> dashboard.DashboardLink:
    """Lead to the other boards, by their tag."""
    link = dashboard.DashboardLink("Boards").type(to.DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.as_dropdown(as_dropdown=True).keep_time(keep_time=True).include_vars(include_vars=True)


def _link(link: Link) -> dashboard.DashboardLink:
    found = dashboard.DashboardLink(link.title).type(to.DashboardLinkType.LINK).url(link.url)
    return found.target_blank(target_blank=not link.url.startswith("/d/"))


def _panel(panel: Panel, pages: Pages) -> Builder:
    found = _SHAPES[panel.shape](panel)
    found.id(panel.id).title(panel.title).description(panel.question).datasource(_SOURCE)
    found.span(panel.width).height(panel.height).unit(panel.unit)
    for number, query in enumerate(panel.queries):
        found.with_target(_target(query, _ref(number), panel))
        if query.unit and panel.shape != "table":
            found.override_by_query(_ref(number), [_set("unit", query.unit)])
    if panel.decimals is not None:
        found.decimals(panel.decimals)
    if panel.least is not None:
        found.min(panel.least)
    if panel.most is not None:
        found.max(panel.most)
    found.thresholds(_steps(panel))
    if panel.texts:
        shown = {value: to.ValueMappingResult(text=word, color=colour) for value, (word, colour) in panel.texts.items()}
        found.mappings([to.ValueMap(options=shown)])
    for name, colour in panel.colours.items():
        found.override_by_name(name, [_set("color", {"mode": "fixed", "fixedColor": colour})])
    if panel.links and panel.shape != "table":
        found.data_links([_link(link) for link in panel.links])
    if panel.alerts:
        found.links([_link(Link(f"Runbook: {name}", f"${{runbooks}}/{pages[name]}")) for name in panel.alerts])
    return found


def _ref(number: int) -> str:
    return chr(ord("A") + number)


def _target(query: Query, ref: str, panel: Panel) -> prometheus.Dataquery:
    found = prometheus.Dataquery().expr(query.expression).ref_id(ref).datasource(_SOURCE)
    if query.legend and panel.shape != "table":
        found.legend_format(query.legend)
    if panel.shape == "table":
        return found.instant().format(PromQueryFormat.TABLE)
    return found.instant() if panel.shape in {"number", "bars"} else found.range()


def _steps(panel: Panel) -> dashboard.ThresholdsConfig:
    steps = [
        to.Threshold(value=None, color=panel.below),
        *(to.Threshold(value=at, color=name) for at, name in panel.steps),
    ]
    return dashboard.ThresholdsConfig().mode(to.ThresholdsMode.ABSOLUTE).steps(steps)


def _set(name: str, value: object) -> to.DynamicConfigValue:
    return to.DynamicConfigValue(id_val=name, value=value)


def _by(mode: to.FieldColorModeId) -> dashboard.FieldColor:
    return dashboard.FieldColor().mode(mode)


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False)


def _number(panel: Panel) -> stat.Panel:
    found = stat.Panel().reduce_options(_last()).graph_mode(of.BigValueGraphMode.NONE)
    found.color_mode(of.BigValueColorMode.VALUE).color_scheme(_by(to.FieldColorModeId.THRESHOLDS))
    return found.text_mode(of.BigValueTextMode.AUTO if len(panel.queries) == 1 else of.BigValueTextMode.VALUE_AND_NAME)


def _bars(panel: Panel) -> bargauge.Panel:
    found = bargauge.Panel().reduce_options(_last()).orientation(of.VizOrientation.HORIZONTAL)
    found.display_mode(of.BarGaugeDisplayMode.BASIC).value_mode(of.BarGaugeValueMode.TEXT)
    mode = to.FieldColorModeId.THRESHOLDS if panel.steps else to.FieldColorModeId.PALETTE_CLASSIC_BY_NAME
    return found.color_scheme(_by(mode))


def _lines(panel: Panel) -> timeseries.Panel:
    legend = common.VizLegendOptions().show_legend(show_legend=True).display_mode(of.LegendDisplayMode.TABLE)
    legend.placement(of.LegendPlacement.BOTTOM).calcs(["lastNotNull", "max"])
    tooltip = common.VizTooltipOptions().mode(of.TooltipDisplayMode.MULTI).sort(of.SortOrder.DESCENDING)
    found = timeseries.Panel().legend(legend).tooltip(tooltip).line_width(1).fill_opacity(0)
    found.show_points(of.VisibilityMode.NEVER).color_scheme(_by(to.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
    if panel.steps:
        found.thresholds_style(common.GraphThresholdsStyleConfig().mode(of.GraphThresholdsStyleMode.DASHED))
    if panel.shape == "stack":
        found.fill_opacity(40).stacking(common.StackingConfig().mode(of.StackingMode.NORMAL))
    return found


def _table(panel: Panel) -> table.Panel:
    """Merge the queries' answers by their labels: one row for each, one column for each query."""
    found = table.Panel().show_header(show_header=True).cell_options(of.TableAutoCellOptions())
    if panel.pivot is not None:
        column, row = panel.pivot
        fields = {"columnField": column, "rowField": row, "valueField": "Value", "emptyValue": "zero"}
        found.with_transformation(to.DataTransformerConfig(id_val="groupingToMatrix", options=fields))
        return found.override_by_name(rf"{row}\{column}", _column(panel, row))
    many = len(panel.queries) > 1
    if many:
        found.with_transformation(to.DataTransformerConfig(id_val="merge", options={}))
    left_out: dict[str, object] = {"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": {}}
    found.with_transformation(to.DataTransformerConfig(id_val="organize", options=left_out))
    for number, query in enumerate(panel.queries):
        name = f"Value #{_ref(number)}" if many else "Value"
        found.override_by_name(name, [_set("displayName", query.legend), _set("unit", query.unit or panel.unit)])
    for name in panel.names:
        found.override_by_name(name, _column(panel, name))
    if panel.sort_by:
        found.sort_by([common.TableSortByFieldState().display_name(panel.sort_by).desc(desc=True)])
    return found


def _column(panel: Panel, name: str) -> list[to.DynamicConfigValue]:
    """Return what a column of labels has: its head, and where a click on a value leads."""
    links = [{"title": link.title, "url": link.url} for link in panel.links]
    head = [_set("displayName", panel.names.get(name, name)), _set("unit", "string")]
    return [*head, _set("links", links)] if links and name == next(iter(panel.names), name) else head


_SHAPES: Final[Mapping[str, Callable[[Panel], Builder]]] = {
    "number": _number,
    "bars": _bars,
    "lines": _lines,
    "stack": _lines,
    "table": _table,
}


def explore(query: Mapping[str, str]) -> str:
    """Return the address at which Grafana shows traces: `$variables` in ``query`` are the reader's."""
    asked = {"refId": "A", "datasource": {"type": "jaeger", "uid": TRACES}, **query}
    shown = {"datasource": TRACES, "queries": [asked], "range": {"from": "now-1h", "to": "now"}}
    panes = msgspec.json.encode({"traces": shown}).decode()
    encoded = re.sub(r"%24%7B(\w+)%7D", r"${\1}", quote(panes, safe=""))
    return f"/explore?schemaVersion=1&orgId=1&panes={encoded}"
