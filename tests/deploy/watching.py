"""You are at what is written down for Prometheus: its rules, their tests, and the pages of their alerts."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import yaml

ROOT: Final = Path(__file__).parents[2]
PROMETHEUS: Final = ROOT / "deploy" / "prometheus"
RUNBOOKS: Final = ROOT / "docs" / "runbooks"
RULE_FILES: Final = sorted((PROMETHEUS / "rules").glob("*.yaml"))
TEST_FILES: Final = sorted((PROMETHEUS / "tests").glob("*.yaml"))
PACKAGES: Final = {
    "promtool": "prometheus",
    "prometheus": "prometheus",
    "amtool": "prometheus-alertmanager",
    "prometheus-alertmanager": "prometheus-alertmanager",
}

_FIRES: Final = re.compile(
    r"### (\w+)\n\n`(\w+)`(?:, after `(\w+)`|, at once), when\n\n```promql\n(.*?)\n```", re.DOTALL
)


class Told(msgspec.Struct, frozen=True):
    """When an alert fires, as its rule or its page has it."""

    severity: str
    after: str | None
    expression: str


class Page(msgspec.Struct, frozen=True):
    """What the pages say of one alert, and on which page that is."""

    told: Told
    file: str
    text: str


def tool(name: str) -> str:
    """Return where a tool is; skip the test where it is not, and say how to get it."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install {PACKAGES[name]}")
    return found


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


def rules() -> Iterator[dict[str, Any]]:
    """Yield every rule, of all files."""
    for path in RULE_FILES:
        for group in read(path)["groups"]:
            yield from group["rules"]


def records() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "record" in rule]


def alerts() -> dict[str, dict[str, Any]]:
    """Return the alerts by name. Two of one name would share a page and a test."""
    found = [rule for rule in rules() if "alert" in rule]
    assert len({rule["alert"] for rule in found}) == len(found)
    return {rule["alert"]: rule for rule in found}


def told_by(rule: dict[str, Any]) -> Told:
    return Told(rule["labels"]["severity"], rule.get("for"), rule["expr"].strip())


def pages() -> dict[str, Page]:
    """Return what the runbooks say, by alert."""
    found: dict[str, Page] = {}
    for path in sorted(RUNBOOKS.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        for match in _FIRES.finditer(text):
            name, severity, after, expression = match.groups()
            assert name not in found, f"{name} is told of twice"
            section = re.split(r"\n#+ ", text[match.start() :])[0]
            found[name] = Page(Told(severity, after, expression), path.name, section)
    return found


def names_in(expression: str) -> set[str]:
    """Return the metrics that an expression names."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^]]*\]', " ", re.sub(r'"[^"]*"', '""', expression))
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", bare)
    words = re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?!\s*\(|[a-zA-Z0-9_:])", bare)
    return {word for word in words if word not in {"and", "or", "unless", "bool", "offset", "d", "h", "m", "s"}}
