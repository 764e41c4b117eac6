"""Each event: its example is read by our types and holds against its schema, and survives a newer writer."""

import json
from typing import Any

import jsonschema
import msgspec
import pytest
from stdnum.cn import uscc

from contracts import codec
from contracts.chain import transfer_hash
from contracts.codec import UnknownEventTypeError
from contracts.events import PaymentReport, PaymentSettled, TransferPosted
from contracts.generate import EXAMPLES, SCHEMAS
from contracts.topics import EVENTS, SERVICES, TOPIC_OF

every_event = pytest.mark.parametrize("name", EVENTS)
OURS = [name for name, event in EVENTS.items() if TOPIC_OF[event].writer in SERVICES]


def example(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_text("utf-8"))
    return found


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text("utf-8"))
    return found


def decoded(name: str, data: dict[str, Any]) -> Any:
    return codec.decode(name, json.dumps(data).encode())


@every_event
def test_an_example_holds_against_its_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(name))
    jsonschema.Draft202012Validator(schema(name)).validate(example(name))


@every_event
def test_a_schema_is_named_as_the_header_says(name: str) -> None:
    assert schema(name)["$id"] == f"urn:drawdown:schema:{name}"


@every_event
def test_an_example_is_read_and_written_again(name: str) -> None:
    event = decoded(name, example(name))
    assert type(event) is EVENTS[name]
    assert codec.decode(name, codec.encode(event)) == event


@pytest.mark.parametrize("name", OURS)
def test_an_example_is_what_we_write_to_the_letter(name: str) -> None:
    assert json.loads(codec.encode(decoded(name, example(name)))) == example(name)


@every_event
def test_fields_of_a_newer_writer_are_ignored(name: str) -> None:
    newer = example(name) | {"added_later": {"by": "a newer version"}}
    assert decoded(name, newer) == decoded(name, example(name))
    jsonschema.Draft202012Validator(schema(name)).validate(newer)


@every_event
def test_every_required_field_is_asked_for(name: str) -> None:
    for field in schema(name)["required"]:
        lacking = {key: value for key, value in example(name).items() if key != field}
        with pytest.raises(msgspec.ValidationError, match=field):
            decoded(name, lacking)
        assert not jsonschema.Draft202012Validator(schema(name)).is_valid(lacking)


@pytest.mark.parametrize("amount", [-1, 1.5, "1", 2**53, None, True])
def test_an_amount_is_whole_fen(amount: Any) -> None:
    name = "drawdown.payment.instructed.v1"
    wrong = example(name) | {"money": {"amount": amount, "currency": "CNY"}}
    with pytest.raises(msgspec.ValidationError):
        decoded(name, wrong)
    assert not jsonschema.Draft202012Validator(schema(name)).is_valid(wrong)


def test_another_currency_is_refused() -> None:
    name = "drawdown.payment.instructed.v1"
    with pytest.raises(msgspec.ValidationError, match="USD"):
        decoded(name, example(name) | {"money": {"amount": 1, "currency": "USD"}})


@pytest.mark.parametrize("name", ["drawdown.award.issued.v2", "drawdown.award.lost.v1", "award.issued", ""])
def test_an_unknown_type_is_no_event(name: str) -> None:
    with pytest.raises(UnknownEventTypeError):
        codec.decode(name, b"{}")


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[]"])
def test_what_is_no_json_object_is_no_event(data: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        codec.decode("drawdown.award.issued.v1", data)


def test_finance_need_not_say_when_it_wrote() -> None:
    name = "drawdown.payment.settled.v1"
    assert "occurred_at" not in example(name)
    event = decoded(name, example(name))
    assert isinstance(event, PaymentSettled)
    assert event.occurred_at is None
    assert issubclass(PaymentSettled, PaymentReport)


def test_the_example_of_a_transfer_is_chained_by_its_hash() -> None:
    data = example("drawdown.transfer.posted.v1")
    assert transfer_hash(data) == data["hash"]
    balances = decoded("drawdown.transfer.posted.v1", data).balances
    assert isinstance(decoded("drawdown.transfer.posted.v1", data), TransferPosted)
    assert balances.available + balances.committed + balances.obligated + balances.disbursed == 450_000_000_000


@every_event
def test_the_companies_of_examples_have_valid_codes(name: str) -> None:
    for code in _codes(example(name)):
        assert uscc.is_valid(code), code


def _codes(node: Any) -> list[str]:
    if isinstance(node, dict):
        named = [node[key] for key in ("applicant", "uscc", "provider", "seller", "cap_holder") if key in node]
        return [code for code in named if isinstance(code, str)] + [c for each in node.values() for c in _codes(each)]
    return [code for each in node for code in _codes(each)] if isinstance(node, list) else []
