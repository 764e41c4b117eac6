"""Rules, alerts, their tests and their pages agree with each other and with what the services export.

What needs no tool is checked everywhere; promtool and amtool check the rest where they are installed.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from prometheus_client import REGISTRY

from stack.cli import app
from tests.deploy import exported, watching
from tests.deploy.watching import PROMETHEUS, RULE_FILES, RUNBOOKS, TEST_FILES, alerts, names_in, pages, read, records

SEVERITIES = {"critical", "warning"}
ALERTS = sorted(alerts())
CONFIGURATIONS = ("prometheus.yml", "prometheus-local.yml")


def run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr


# --- without any tool ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ('sum by (pool) (pool:a:b{state=~"x|y"}) / pool:c:max > 0.5', {"pool:a:b", "pool:c:max"}),
        ('max by (a) (label_replace(x_y, "service", "$1", "group", "(.*)")) and on (service) up', {"x_y", "up"}),
        ("deriv(pool:h:hourly[28d] offset 1d) * 86400 or vector(0)", {"pool:h:hourly"}),
    ],
)
def test_the_names_of_an_expression_are_found(expression: str, names: set[str]) -> None:
    assert names_in(expression) == names


def test_every_metric_that_a_rule_names_is_exported_or_recorded() -> None:
    known = exported.names() | exported.OF_PROMETHEUS | {rule["record"] for rule in records()}
    unknown = {
        name: rule.get("record") or rule["alert"] for rule in watching.rules() for name in names_in(rule["expr"])
    }
    assert {name: by for name, by in unknown.items() if name not in known} == {}


@pytest.mark.parametrize("type_", ["payment.settled", "payment.returned"])
@pytest.mark.parametrize("effect", ["moved", "duplicate", "discrepancy"])
def test_reports_are_counted_from_0_on(type_: str, effect: str) -> None:
    """A counter that begins at 1 was never increased, as Prometheus sees it: a single contradiction were lost."""
    assert REGISTRY.get_sample_value("drawdown_bank_reports_total", {"type": type_, "effect": effect}) is not None


def test_recorded_series_are_named_by_level_metric_and_operation() -> None:
    assert [
        rule["record"] for rule in records() if not re.fullmatch(r"[a-z_]+:[a-z_]+:[a-z0-9]+", rule["record"])
    ] == []


def test_a_series_is_recorded_in_one_place() -> None:
    places = [(rule["record"], str(rule.get("labels"))) for rule in records()]
    assert len(set(places)) == len(places)


def test_the_level_is_what_replicas_are_aggregated_to() -> None:
    """``pool_check:...`` has the labels pool and check and no other: no process's name, or figures would be doubled."""
    for rule in records():
        grouped = re.match(r"(?:max|sum|min) by \(([^)]*)\)", rule["expr"])
        if grouped:
            assert rule["record"].split(":")[0] == grouped[1].replace(", ", "_"), rule["record"]


def test_alerts_stand_on_recorded_series_alone() -> None:
    """So what makes one series of replicas is in one place. ``up`` is of Prometheus, which is no replica of itself."""
    raw = {name for rule in alerts().values() for name in names_in(rule["expr"]) if ":" not in name}
    assert raw == {"up"}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_all_that_somebody_who_is_woken_needs(name: str) -> None:
    rule = alerts()[name]
    said = rule["annotations"]
    assert re.fullmatch(r"([A-Z][a-z0-9]+)+[a-zA-Z]*", name)
    assert rule["labels"]["severity"] in SEVERITIES
    assert set(said) == {"summary", "description", "runbook_url", "dashboard_url"}
    assert len(said["summary"]) < 120 < len(said["summary"] + said["description"])
    assert said["dashboard_url"].startswith("{{ $externalLabels.grafana }}/d/drawdown-")


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_has_its_page_and_the_page_says_the_same(name: str) -> None:
    rule, page = alerts()[name], pages()[name]
    assert page.told == watching.told_by(rule)
    place = f"{{{{ $externalLabels.runbooks }}}}/{page.file}#{name.lower()}"
    assert rule["annotations"]["runbook_url"] == place
    for part in ("Seen", "Means", "Check", "Cure", "Escalate"):
        assert re.search(rf"\*\*[^*]*{part}[^*]*\*\*", page.text, re.IGNORECASE), f"{part} is missing in {page.file}"


def test_no_page_tells_of_an_alert_that_is_not_there() -> None:
    assert set(pages()) == set(alerts())
    listed = set(re.findall(r"\]\(([\w-]+\.md)#?[^)]*\)", (RUNBOOKS / "README.md").read_text(encoding="utf-8")))
    assert {page.file for page in pages().values()} <= listed


def test_links_between_the_pages_lead_somewhere() -> None:
    for path in RUNBOOKS.glob("*.md"):
        text = path.read_text(encoding="utf-8")
        for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]+))?\)", text):
            there = (path.parent / target).resolve() if target else path
            assert there.exists(), f"{path.name}: {target}"
            if anchor:
                headings = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE)
                assert anchor in {_anchor(heading) for heading in headings}, f"{path.name}: {target}#{anchor}"


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_drawdown_command_of_the_pages_exists() -> None:
    command: Any = typer.main.get_command(app)
    for path in [*RUNBOOKS.glob("*.md"), watching.ROOT / "docs" / "how-to" / "watch-the-programme.md"]:
        for block in re.findall(r"```sh\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL):
            for words in re.findall(r"(?:^|[\s(])drawdown ([a-z-]+(?: [a-z-]+)?)", block, re.MULTILINE):
                _resolve(command, words.split(), f"{path.name}: drawdown {words}")


def _shell_lines() -> Iterator[tuple[str, str]]:
    for path in RUNBOOKS.glob("*.md"):
        for block in re.findall(r"```sh\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL):
            yield from ((path.name, line) for line in block.splitlines())


def test_every_metric_that_the_pages_look_for_is_exported() -> None:
    known = exported.names()
    for page, line in _shell_lines():
        for looked_for in re.findall(r"\^((?:drawdown|http|database)_\w+)", line):
            assert any(name.startswith(looked_for) for name in known), f"{page}: {looked_for}"


def test_every_log_line_that_the_pages_look_for_is_written() -> None:
    code = "".join(path.read_text(encoding="utf-8") for room in ("kit", "services") for path in _sources(room))
    for page, line in _shell_lines():
        if "drawdown logs" in line:
            for event in re.findall(r"\b[a-z]+_[a-z_]+\b", line.partition("grep")[2]):
                assert f'"{event}' in code, f"{page}: {event}"


def _sources(room: str) -> Iterator[Path]:
    return (watching.ROOT / room).rglob("*.py")


def _resolve(command: Any, words: list[str], where: str) -> None:
    assert words[0] in command.commands, where
    found = command.commands[words[0]]
    if hasattr(found, "commands"):
        assert len(words) > 1, where
        assert words[1] in found.commands, where


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_is_tested_to_fire_not_to_fire_and_to_resolve(name: str) -> None:
    for case in [case for path in TEST_FILES for case in read(path)["tests"]]:
        checks = [check for check in case["promql_expr_test"] if f'alertname="{name}"' in check["expr"]]
        fired = [_minutes(check) for check in checks if any(name in each["labels"] for each in check["exp_samples"])]
        silent = [_minutes(check) for check in checks if not check["exp_samples"]]
        if fired and silent and min(silent) < min(fired) and max(silent) > max(fired):
            return
    # A part of what fires may go on: then the test names what is left of it.
    assert _narrows(name), f"no test shows {name} silent, firing, and silent again"


def _narrows(name: str) -> bool:
    for case in [case for path in TEST_FILES for case in read(path)["tests"]]:
        checks = [check for check in case["promql_expr_test"] if f'alertname="{name}"' in check["expr"]]
        counts = [len(check["exp_samples"]) for check in sorted(checks, key=_minutes)]
        if len(counts) >= 3 and counts[0] == 0 and counts[-1] < max(counts):
            return True
    return False


def _minutes(check: dict[str, Any]) -> int:
    number, unit = int(check["eval_time"][:-1]), check["eval_time"][-1]
    return number * {"m": 1, "h": 60}[unit]


def test_both_configurations_differ_in_their_targets_only() -> None:
    bare = []
    for name in CONFIGURATIONS:
        configuration = read(PROMETHEUS / name)
        jobs = [(job["job_name"], job.get("relabel_configs")) for job in configuration.pop("scrape_configs")]
        configuration["alerting"].pop("alertmanagers")
        bare.append((configuration, jobs))
    assert bare[0] == bare[1]


def test_inhibitions_name_alerts_that_are_there() -> None:
    for rule in read(PROMETHEUS / "alertmanager.yml")["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            pattern = re.fullmatch(r'alertname=~?"(.*)"', matcher)
            assert pattern, matcher
            for alternative in pattern[1].split("|"):
                assert [name for name in ALERTS if re.fullmatch(alternative, name)], f"{alternative} is no alert"


# --- with the tools -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_promtool_accepts_the_configuration_and_its_rules(name: str) -> None:
    run(watching.tool("promtool"), "check", "config", PROMETHEUS / name)


def test_promtool_finds_no_duplicate_and_no_flaw_in_the_rules() -> None:
    run(watching.tool("promtool"), "check", "rules", "--lint-fatal", *RULE_FILES)


@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: path.stem)
def test_alerts_fire_and_resolve_as_their_tests_say(path: Path) -> None:
    run(watching.tool("promtool"), "test", "rules", path)


def test_amtool_accepts_the_alertmanagers_configuration() -> None:
    run(watching.tool("amtool"), "check-config", PROMETHEUS / "alertmanager.yml")


@pytest.mark.parametrize(("severity", "receiver"), [("critical", "page"), ("warning", "ticket")])
def test_an_alert_goes_to_who_is_meant(severity: str, receiver: str) -> None:
    configuration = f"--config.file={PROMETHEUS / 'alertmanager.yml'}"
    run(
        watching.tool("amtool"),
        "config",
        "routes",
        "test",
        configuration,
        f"--verify.receivers={receiver}",
        f"severity={severity}",
    )
