"""The boards are what Grafana takes, ask what is there, and lead on: to each other, to traces, to the alerts' pages.

That every query has an answer is tried on the whole system (tests/journeys/test_watching.py).
"""

import itertools
import re
import urllib.parse
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana import __main__ as generator
from tests.deploy import boards, exported, watching
from tests.deploy.boards import GRAFANA, Object, dashboards, panels, variables
from tests.deploy.watching import PROMETHEUS, RUNBOOKS, alerts, names_in, read, records, rules

UIDS = [f"drawdown-{name}" for name in ("funnel", "kafka", "pool", "programme", "runtime", "services")]
ALERTS = sorted(alerts())
COLUMNS = 24
# In the test of queries nothing depends on their values: any that a label may have.
VALUES = dict.fromkeys(("pool", "service", "scheme", "group"), "x")
# Asked as they are exported, though a rule names them: the rule adds up what these panels show apart.
APART = {
    "up": "each process, not their sum",
    "drawdown_group_lag_seconds": "each partition, not the topic",
    "drawdown_group_lag_events": "each partition, not the topic",
}


def all_panels() -> Iterator[tuple[str, Object]]:
    for uid, board in dashboards().items():
        for panel in panels(board):
            yield uid, panel


def all_under(key: str, document: Any) -> Iterator[Any]:
    """Yield whatever stands under this key, at any depth."""
    if isinstance(document, dict):
        for name, value in document.items():
            if name == key:
                yield value
            yield from all_under(key, value)
    elif isinstance(document, list):
        for each in document:
            yield from all_under(key, each)


def units_of(panel: Object) -> Iterator[str]:
    yield panel["fieldConfig"]["defaults"]["unit"]
    for override in panel["fieldConfig"]["overrides"]:
        yield from (each["value"] for each in override["properties"] if each["id"] == "unit")


def test_the_files_are_what_the_boards_say() -> None:
    assert generator.out_of_date() == []


def test_a_file_that_differs_or_belongs_to_no_board_is_told(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generator, "ROOT", tmp_path)
    monkeypatch.setattr(generator, "DASHBOARDS", tmp_path)
    monkeypatch.setattr(generator, "PAGE", tmp_path / "dashboards.md")
    monkeypatch.setattr(generator, "PROMETHEUS", PROMETHEUS)
    generator.write()
    assert generator.main(["--check"]) == 0
    (tmp_path / "drawdown-pool.json").write_text("{}", encoding="utf-8")
    (tmp_path / "drawdown-old.json").write_text("{}", encoding="utf-8")
    assert generator.main(["--check"]) == 1
    assert re.findall(r"^(\S+) is not", capsys.readouterr().err, re.MULTILINE) == [
        "drawdown-old.json",
        "drawdown-pool.json",
    ]
    assert generator.main(["--chekc"]) == 2
    assert generator.main([]) == generator.main(["--check"]) == 0


def test_there_are_six_boards_each_under_its_uid() -> None:
    assert sorted(dashboards()) == UIDS
    assert sorted(path.stem for path in boards.FILES) == UIDS
    assert {board.get("id") for board in dashboards().values()} == {None}, "Grafana gives the numbers"


@pytest.mark.parametrize("uid", UIDS)
def test_grafanas_own_types_take_a_board_and_lose_nothing(uid: str) -> None:
    register_default_plugins()
    board = dashboards()[uid]
    taken = Dashboard.from_json(board)
    assert msgspec.json.decode(JSONEncoder().encode(taken)) == board


@pytest.mark.parametrize("uid", UIDS)
def test_no_number_is_given_twice_and_no_panel_lies_over_another(uid: str) -> None:
    found = dashboards()[uid]["panels"]
    assert len({panel["id"] for panel in found}) == len(found)
    places = [(panel["id"], panel["gridPos"]) for panel in found]
    assert [number for number, at in places if at["x"] + at["w"] > COLUMNS or min(at["w"], at["h"]) < 1] == []
    assert [(one, other) for (one, a), (other, b) in itertools.combinations(places, 2) if overlap(a, b)] == []


def overlap(one: Object, other: Object) -> bool:
    beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    apart = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    return not (beside or apart)


def test_every_panel_says_which_question_it_answers_and_in_which_unit() -> None:
    known = {value for value in vars(units).values() if isinstance(value, str)} | {"currency:¥"}
    for uid, panel in all_panels():
        assert re.match(r"[A-Z][^.]+\?( |$)", panel["description"]), f"{uid}: {panel['title']}"
        assert set(units_of(panel)) <= known, f"{uid}: {panel['title']}"


def test_money_is_shown_in_yuan() -> None:
    for uid, panel in all_panels():
        if all("yuan" in target["expr"] for target in panel["targets"]):
            assert "currency:¥" in units_of(panel), f"{uid}: {panel['title']}"


def test_the_source_is_the_readers_choice_everywhere() -> None:
    for board in dashboards().values():
        assert variables(board)["datasource"]["query"] == "prometheus"
        sources = list(all_under("datasource", board))
        assert sources
        assert {source["uid"] for source in sources} == {"${datasource}"}


@pytest.mark.parametrize("uid", UIDS)
def test_a_board_uses_the_variables_that_it_has(uid: str) -> None:
    text = next(path for path in boards.FILES if path.stem == uid).read_text(encoding="utf-8")
    of_grafana = {name for name in boards.used(text) if name.startswith("__")}
    assert boards.used(text) - of_grafana == set(variables(dashboards()[uid]))


def test_every_query_is_promql_and_names_what_is_exported_or_recorded() -> None:
    known = exported.names() | exported.OF_PROMETHEUS | {rule["record"] for rule in records()}
    for query in boards.asked():
        named = boards.series(boards.substituted(query.expression, VALUES))
        assert named, query.where
        assert named <= known, f"{query.where}: {named - known}"


def test_what_is_recorded_is_asked_as_recorded() -> None:
    """The rules make one series of replicas; a board that asked the raw one would show a figure per process."""
    behind_rules = {name for rule in rules() for name in names_in(rule["expr"]) if ":" not in name}
    for query in boards.asked():
        raw = boards.series(boards.substituted(query.expression, VALUES)) & behind_rules
        assert raw <= APART.keys(), f"{query.where}: {raw}"


def test_a_query_that_is_no_promql_or_names_nothing_known_is_seen() -> None:
    with pytest.raises(ValueError, match="parenthesis"):
        boards.series("sum by (pool (x)")
    assert boards.series('sum(rate(a_total{b="c"}[1m])) / on (d) e:f:max') == {"a_total", "e:f:max"}
    with pytest.raises(KeyError, match="nobody"):
        boards.substituted('x{pool="$nobody"}', VALUES)


# --- where a reader gets from here ------------------------------------------------------------------------------------


def addresses(board: Object) -> set[str]:
    return set(all_under("url", board))


@pytest.mark.parametrize("uid", UIDS)
def test_links_lead_to_boards_that_are_there_with_variables_that_they_have(uid: str) -> None:
    for address in addresses(dashboards()[uid]):
        if address.startswith("/d/"):
            place, _, query = address.partition("?")
            there = dashboards()[place.removeprefix("/d/")]
            given = set(re.findall(r"var-(\w+)=", query))
            assert given <= set(variables(there)), address
            assert "${__url_time_range}" in query, f"{address} forgets the range"


@pytest.mark.parametrize(
    ("uid", "leads_to"),
    [
        ("drawdown-programme", {"pool", "funnel", "services", "kafka"}),
        ("drawdown-pool", {"funnel", "services"}),
        ("drawdown-funnel", {"services"}),
        ("drawdown-services", {"runtime", "kafka"}),
        ("drawdown-kafka", {"services"}),
        ("drawdown-runtime", {"services", "kafka"}),
    ],
)
def test_a_board_leads_down_to_what_it_stands_on(uid: str, leads_to: set[str]) -> None:
    found = {match[1] for each in addresses(dashboards()[uid]) if (match := re.match(r"/d/drawdown-(\w+)", each))}
    assert found == leads_to


def test_a_service_leads_to_its_traces() -> None:
    [source] = [each for each in read(GRAFANA / "provisioning" / "datasources" / "drawdown.yaml")["datasources"] if
                each["uid"] == "drawdown-traces"]  # fmt: skip
    found = [each for each in addresses(dashboards()["drawdown-services"]) if each.startswith("/explore?")]
    queries = []
    for address in found:
        panes = msgspec.json.decode(urllib.parse.parse_qs(address)["panes"][0])
        [query] = panes["traces"]["queries"]
        assert panes["traces"]["datasource"] == query["datasource"]["uid"] == source["uid"]
        assert query["datasource"]["type"] == source["type"]
        queries.append({key: query.get(key) for key in ("queryType", "service", "query")})
    by_id = {"queryType": None, "service": None, "query": "${trace}"}
    of_service = {"queryType": "search", "service": "${service}", "query": None}
    assert sorted(queries, key=str) == sorted([by_id, of_service], key=str)


def test_links_to_runbooks_lead_somewhere() -> None:
    headings = {
        (path.name, re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-"))
        for path in RUNBOOKS.glob("*.md")
        for heading in re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    for board in dashboards().values():
        assert "${runbooks}/README.md" in addresses(board)
        for address in addresses(board):
            page, _, anchor = address.removeprefix("${runbooks}/").partition("#")
            if address.startswith("${runbooks}/") and anchor:
                assert (page, anchor) in headings, address


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_leads_to_a_panel_that_shows_what_it_stands_on_and_leads_to_its_page(name: str) -> None:
    rule = alerts()[name]
    link = rule["annotations"]["dashboard_url"]
    match = re.fullmatch(
        r"\{\{ \$externalLabels\.grafana \}\}/d/(drawdown-\w+)\?(?:var-(\w+)=(.+)&)?viewPanel=(\d+)", link
    )
    assert match, link
    board = dashboards()[match[1]]
    [panel] = [each for each in panels(board) if each["id"] == int(match[4])]
    if match[2]:
        assert match[2] in variables(board)
    shown = {name for target in panel["targets"] for name in boards.series(boards.substituted(target["expr"], VALUES))}
    assert shown & names_in(rule["expr"]), f"{panel['title']} shows {shown}"
    page = rule["annotations"]["runbook_url"].removeprefix("{{ $externalLabels.runbooks }}/")
    assert f"${{runbooks}}/{page}" in {each["url"] for each in panel["links"]}


@pytest.mark.parametrize("name", ALERTS)
def test_a_panel_draws_the_line_at_which_somebody_is_told(name: str) -> None:
    """Where an alert compares what its panel shows with a number above 0, that is a step of the panel."""
    rule = alerts()[name]
    first = re.split(r"\s+and\s+", rule["expr"])[0]
    limit = re.search(r"[<>=]=?\s*([\d.]+)(\s*\* \(1 - slo:objective:ratio\))?\s*$", first)
    if limit and float(limit[1]) > 0:
        uid, number = re.findall(r"/d/([\w-]+)\?.*viewPanel=(\d+)", rule["annotations"]["dashboard_url"])[0]
        [panel] = [each for each in panels(dashboards()[uid]) if each["id"] == int(number)]
        steps = {step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]}
        assert float(limit[1]) in steps, f"{panel['title']}: {steps}"


def test_a_boards_runbooks_are_where_the_alerts_runbooks_are() -> None:
    given = read(PROMETHEUS / "prometheus.yml")["global"]["external_labels"]["runbooks"]
    for board in dashboards().values():
        assert variables(board)["runbooks"]["query"] == given


def test_kubernetes_gets_every_board() -> None:
    generated = read(GRAFANA / "kustomization.yaml")["configMapGenerator"]
    assert sorted(file for each in generated for file in each["files"]) == [f"dashboards/{uid}.json" for uid in UIDS]


def test_grafana_is_told_to_ask_as_often_as_prometheus_scrapes() -> None:
    sources = read(GRAFANA / "provisioning" / "datasources" / "drawdown.yaml")["datasources"]
    [source] = [each for each in sources if each["type"] == "prometheus"]
    scraped = watching.read(PROMETHEUS / "prometheus.yml")["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == scraped
