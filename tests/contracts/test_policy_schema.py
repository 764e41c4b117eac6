"""The published JSON Schema of the policy document takes the programme's documents, and refuses what is misspelt."""

from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml

from contracts.generate import policy

POLICIES = [path for path in (Path(__file__).parents[2] / "policies").glob("*.yaml") if path.name != "programme.yaml"]
VALIDATOR = jsonschema.Draft202012Validator(policy.schema())


def written(path: Path) -> dict[str, Any]:
    """Return a document as JSON has it: dates as strings."""
    document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(yaml.safe_load(path.read_text("utf-8"))))
    return document


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(policy.schema())


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_every_document_of_the_programme_holds(path: Path) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(written(path))] == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"waitlst": "whole"}, "waitlst"),
        ({"rate": 60.5}, "60.5"),
        ({"review": {"route": "persons", "vote": 2}}, "vote"),
        ({"cap": {"amount": -1}}, "-1"),
    ],
)
def test_what_is_wrong_is_refused(change: dict[str, Any], said: str) -> None:
    document = written(next(path for path in POLICIES if path.stem == "compute-voucher")) | change
    assert any(said in str(error.message) + str(list(error.context or [])) for error in VALIDATOR.iter_errors(document))
