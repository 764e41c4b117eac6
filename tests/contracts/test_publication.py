"""Events live for ever: today's code reads every event ever published, and a change that breaks one is refused."""

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from contracts.codec import decode
from contracts.generate import PUBLISHED, publication, schemas
from contracts.generate import __main__ as command
from contracts.generate.compatibility import breaking_changes
from contracts.topics import EVENTS

TYPE = "drawdown.payment.instructed.v1"
SCHEMA = schemas.schema(EVENTS[TYPE])


def test_nothing_that_was_published_is_broken() -> None:
    assert list(PUBLISHED.glob("*/schemas/*.json")), "a release has been published"
    assert publication.problems() == []


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return today's schema with the value at a dotted path changed; None takes it out."""
    schema = copy.deepcopy(SCHEMA)
    *parents, last = path.split(".")
    target = schema
    for parent in parents:
        target = target[parent]
    if value is None:
        del target[last]
    else:
        target[last] = value
    return schema


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("properties.payment_id", None, "$.payment_id: is gone"),
        ("properties.purpose", {"type": "integer"}, "$.purpose: was ['string'], is ['integer']"),
        ("properties.purpose", {"anyOf": [{"type": "string"}, {"type": "null"}]}, "is ['null', 'string']"),
        ("required", [*SCHEMA["required"], "attempt"], "$.attempt: is required now"),
        ("required", [name for name in SCHEMA["required"] if name != "purpose"], "$.purpose: was always there"),
        ("properties.purpose", {"type": "string", "maxLength": 5}, "maxLength was None, is 5"),
        ("properties.applicant.pattern", "^x$", "$.applicant: had the pattern"),
        ("$defs.Money.properties.amount.maximum", 10, "$.money.amount: maximum was 9007199254740991, is 10"),
        ("$defs.Account.properties.bank_code", None, "$.creditor.bank_code: is gone"),
        ("$defs.Money.properties.currency.enum", ["USD"], "$.money.currency: no longer knows ['CNY']"),
    ],
)
def test_a_breaking_change_is_named_with_its_place(path: str, value: Any, says: str) -> None:
    [found] = breaking_changes(SCHEMA, changed(path, value))

    assert says in found


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("properties.colour", {"type": "string"}),
        ("$defs.Money.properties.currency.enum", ["CNY", "HKD"]),
        ("description", "said better"),
    ],
)
def test_what_may_be_added_breaks_nothing(path: str, value: Any) -> None:
    assert breaking_changes(SCHEMA, changed(path, value)) == []


@pytest.fixture
def releases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of our own to publish to."""
    shutil.copytree(PUBLISHED, tmp_path / "published")
    monkeypatch.setattr(publication, "PUBLISHED", tmp_path / "published")
    return tmp_path / "published"


def test_the_check_fails_on_a_breaking_change(releases: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [release, *_] = sorted(releases.iterdir())
    richer = changed("properties.urgency", {"type": "string"})
    (release / "schemas" / f"{TYPE}.json").write_text(json.dumps(richer), "utf-8")

    assert command.main(["--check"]) == 1
    assert f"{TYPE}, published in {release.name}: $.urgency: is gone" in capsys.readouterr().err


def test_the_check_fails_on_an_event_that_today_can_not_read(
    releases: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [release, *_] = sorted(releases.iterdir())
    (release / "examples" / f"{TYPE}.json").write_text("{}", "utf-8")

    assert command.main(["--check"]) == 1
    assert "can't be read any more" in capsys.readouterr().err


def test_a_release_is_published_once(releases: Path) -> None:
    assert publication.publish("9.9.9") == []
    assert len(list((releases / "9.9.9" / "examples").glob("*.json"))) == len(EVENTS)
    [said] = publication.publish("9.9.9")
    assert "never changes" in said


def test_a_field_of_a_later_release_is_ignored_wherever_it_stands() -> None:
    name = "drawdown.policy.published.v1"
    sent = json.loads((PUBLISHED / "0.1.0" / "examples" / f"{name}.json").read_text("utf-8"))
    today = decode(name, json.dumps(sent).encode())
    sent["policy"]["colour"] = sent["policy"]["criteria"][0]["colour"] = sent["colour"] = "red"

    assert decode(name, json.dumps(sent).encode()) == today
