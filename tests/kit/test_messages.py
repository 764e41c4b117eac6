"""An event as it travels: what is written is read back, and what breaks the contract is named."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.codec import encode
from contracts.events import RecoveryDemanded
from contracts.topics import event_type
from kit.errors import PermanentError
from kit.identifiers import uuid7
from kit.messages import event_type_of, headers_of, parse
from tests.kit.conftest import NOW, TOPIC, company, event

EVENT = event(company(), "测试")
EVENT_ID = uuid7()


def headers() -> list[tuple[str, bytes]]:
    return headers_of(
        event_id=EVENT_ID,
        event_type=event_type(RecoveryDemanded),
        source="disbursement",
        subject="about",
        time=NOW,
        sequence=7,
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )


@dataclass
class Received:
    """What aiokafka hands over, as far as it is read."""

    headers: list[tuple[str, bytes]] = field(default_factory=headers)
    value: bytes | None = encode(EVENT)
    key: bytes | None = EVENT.applicant.encode()
    topic: str = TOPIC
    partition: int = 3
    offset: int = 11


def with_header(name: str, value: bytes) -> list[tuple[str, bytes]]:
    return [(known, value if known == name else said) for known, said in headers()]


def without_header(name: str) -> list[tuple[str, bytes]]:
    return [(known, said) for known, said in headers() if known != name]


def test_what_is_written_is_read_back() -> None:
    message = parse(Received())
    assert message.data == EVENT
    assert (message.id, message.type, message.time) == (EVENT_ID, "drawdown.recovery.demanded.v1", NOW)
    assert (message.key, message.topic, message.partition, message.offset) == (EVENT.applicant, TOPIC, 3, 11)
    assert message.traceparent == "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_times_travel_in_utc_with_microseconds() -> None:
    assert dict(headers())["ce_time"] == b"2026-03-15T08:00:00.000000Z"


def test_a_time_with_another_offset_is_the_same_moment() -> None:
    received = Received(headers=with_header("ce_time", b"2026-03-15T16:00:00+08:00"))
    assert parse(received).time == datetime(2026, 3, 15, 8, tzinfo=UTC)


def test_the_headers_of_finance_are_enough() -> None:
    """It sends the three that are asked for, and whatever else it likes."""
    asked = [(name, said) for name, said in headers() if name in ("ce_id", "ce_type", "ce_time")]
    message = parse(Received(headers=[*asked, ("x-batch", b"\xff")]))
    assert message.traceparent is None


@pytest.mark.parametrize(
    ("received", "said"),
    [
        (lambda: Received(headers=without_header("ce_id")), "the header ce_id is missing"),
        (lambda: Received(headers=without_header("ce_type")), "the header ce_type is missing"),
        (lambda: Received(headers=without_header("ce_time")), "the header ce_time is missing"),
        (lambda: Received(headers=[]), "the header ce_id is missing"),
        (lambda: Received(headers=with_header("ce_id", b"7")), "invalid UUID"),
        (lambda: Received(headers=with_header("ce_time", b"yesterday")), "yesterday"),
        (lambda: Received(headers=with_header("ce_time", b"2026-03-15T08:00:00")), "no offset from UTC"),
        (lambda: Received(headers=with_header("ce_type", b"drawdown.award.lost.v1")), "unknown event type"),
        (lambda: Received(value=b"{"), "can't be read"),
        (lambda: Received(value=b"\xff\xfe"), "can't be read"),
        (lambda: Received(value=None), "can't be read"),
        (lambda: Received(value=b"{}"), "missing required field"),
        (lambda: Received(value=encode(EVENT).replace(b'"amount":1', b'"amount":-1')), r"\$\.money\.amount"),
        (lambda: Received(key=b"\xff"), "can't be read"),
    ],
)
def test_what_breaks_the_contract_is_named(received: Callable[[], Any], said: str) -> None:
    with pytest.raises(PermanentError, match=said):
        parse(received())


def test_a_type_is_seen_without_reading_the_rest() -> None:
    assert event_type_of(Received(value=b"{")) == "drawdown.recovery.demanded.v1"
    assert event_type_of(Received(headers=[])) is None
