"""The published documents are what the types say, and the check that holds them so finds every way to differ."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts import generate
from contracts.generate import __main__ as command
from contracts.topics import EVENTS, TOPICS


def test_the_committed_documents_are_up_to_date() -> None:
    assert [str(path) for path in command.out_of_date()] == []


@pytest.fixture
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of our own to break documents in."""
    for name in ("SCHEMAS", "REFERENCE"):
        target = tmp_path / name.lower()
        shutil.copytree(getattr(generate, name), target)
        monkeypatch.setattr(command, name, target)
    monkeypatch.setattr(command, "ROOT", tmp_path)
    return tmp_path


def test_a_document_that_differs_is_named(copies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copies / "schemas" / "drawdown.award.issued.v1.json").write_text("{}")
    assert command.main(["--check"]) == 1
    assert "schemas/drawdown.award.issued.v1.json" in capsys.readouterr().err


@pytest.mark.parametrize("gone", ["schemas/drawdown.claim.paid.v1.json", "reference/asyncapi.yaml"])
def test_a_document_that_is_missing_is_named(copies: Path, gone: str, capsys: pytest.CaptureFixture[str]) -> None:
    (copies / gone).unlink()
    assert command.main(["--check"]) == 1
    assert gone in capsys.readouterr().err


def test_a_schema_of_no_event_is_named_and_removed(copies: Path) -> None:
    stray = copies / "schemas" / "drawdown.award.forgotten.v1.json"
    stray.write_text("{}")
    assert command.out_of_date() == [stray]
    assert command.main([]) == 0
    assert not stray.exists()
    assert command.main(["--check"]) == 0


def test_another_argument_is_not_understood(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--chekc"]) == 2
    assert "usage" in capsys.readouterr().err


# --- AsyncAPI ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def asyncapi() -> Any:
    return yaml.safe_load((generate.REFERENCE / "asyncapi.yaml").read_text("utf-8"))


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for each in node.values():
            yield from _references(each)
    elif isinstance(node, list):
        for each in node:
            yield from _references(each)


def _resolves(document: Any, reference: str) -> bool:
    file, _, pointer = reference.partition("#")
    if file:
        return (generate.REFERENCE / file).resolve().is_file()
    for part in pointer.strip("/").split("/"):
        document = document.get(part)
    return document is not None


def test_every_reference_leads_somewhere(asyncapi: Any) -> None:
    outside_examples = {
        **asyncapi,
        "components": {
            **asyncapi["components"],
            "messages": {
                name: {key: value for key, value in message.items() if key != "examples"}
                for name, message in asyncapi["components"]["messages"].items()
            },
        },
    }
    references = set(_references(outside_examples))
    assert len(references) > len(EVENTS)
    assert [reference for reference in references if not _resolves(asyncapi, reference)] == []


def test_asyncapi_knows_every_topic_and_event(asyncapi: Any) -> None:
    assert asyncapi["asyncapi"] == "3.0.0"
    assert asyncapi["channels"].keys() == TOPICS.keys()
    assert {message["name"] for message in asyncapi["components"]["messages"].values()} == EVENTS.keys()


def test_drawdown_only_receives_what_finance_writes(asyncapi: Any) -> None:
    received = [each["channel"]["$ref"] for each in asyncapi["operations"].values() if each["action"] == "receive"]
    assert received == ["#/channels/finance.payment-status"]
