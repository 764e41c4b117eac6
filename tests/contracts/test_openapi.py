"""What a developer finds in each service's document: ids to call by, examples, schemas, every error by its code."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from contracts.generate import REFERENCE
from contracts.generate.services import problems
from contracts.topics import SERVICES

JSON = "application/json"
PROBLEM = "application/problem+json"
CALLS = {"intake": 28, "eligibility": 30, "disbursement": 30, "metrics": 12}  # at least


def document(service: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((REFERENCE / "openapi" / f"{service}.json").read_text("utf-8"))
    return found


def operations(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in found["paths"].values():
        yield from item.values()


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_every_call_has_an_id_a_described_group_and_a_summary(service: str) -> None:
    found = document(service)
    described = {tag["name"] for tag in found["tags"] if tag["description"]}
    ids = [operation["operationId"] for operation in operations(found)]

    assert len(ids) == len(set(ids)) >= CALLS[service]
    assert all(set(operation["tags"]) <= described and operation["summary"] for operation in operations(found))


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_every_body_and_answer_has_a_schema_and_json_an_example(service: str) -> None:
    for operation in operations(document(service)):
        answers = [
            answer
            for status, answer in operation["responses"].items()
            if status.startswith("2") and status != "204"  # which has no content
        ]
        for part in [operation.get("requestBody", {"content": {}}), *answers]:
            for media, content in part["content"].items():
                assert content["schema"], operation["operationId"]
                assert media != JSON or "example" in content, operation["operationId"]


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_every_error_is_a_problem_of_a_known_code_that_comes_with_this_status(service: str) -> None:
    catalogue = problems()["kit"] | problems()[service]
    found = document(service)
    for operation in operations(found):
        for status, answer in operation["responses"].items():
            for code in answer.get("content", {}).get(PROBLEM, {}).get("examples", {}):
                assert int(status) in catalogue[code].status
                assert found["components"]["examples"][code]["value"]["title"] == catalogue[code].title.en


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_who_wants_a_token_says_what_is_answered_without_one(service: str) -> None:
    for operation in operations(document(service)):
        assert bool(operation["security"]) == ("401" in operation["responses"]) == ("403" in operation["responses"])
