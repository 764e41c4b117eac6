"""The topics: every event has one, keyed by a field of it; a key's partition is the same for every client."""

import inspect
import json
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from contracts import common, events, policy
from contracts.events import Event
from contracts.generate import EXAMPLES, SCHEMAS
from contracts.topics import EVENTS, SERVICES, TOPIC_OF, TOPICS, topics_with
from kit.kafka import partition_of

# Partitions that Kafka's own Java client (kafka-clients 4.3.1) chose for these keys: of 12, and of 6.
GOLDEN = {
    "91440300MA5003FYBC": (6, 0),
    "91440300MA5APP03E1": (4, 4),
    "compute-voucher": (9, 3),
    "ai-package-2025": (11, 5),
    "ai-robotics-fund": (7, 1),
    "ai-terminal-fund": (11, 5),
    "019d4bcf-fd76-71a7-802f-4c3b9d1e8613": (11, 5),
    "21": (0, 0),
    "foobar": (6, 0),
    "a-little-bit-long-string": (8, 2),
    "a-little-bit-longer-string": (11, 5),
    "abc": (3, 3),
    "训力券": (0, 0),
}


@pytest.mark.parametrize("key", GOLDEN)
def test_a_key_goes_where_javas_client_sends_it(key: str) -> None:
    assert (partition_of(key.encode(), 12), partition_of(key.encode(), 6)) == GOLDEN[key]


def test_partition_counts_never_change() -> None:
    """A key's events would lose their order. A topic that must grow is a new topic beside the old one."""
    assert {name: topic.partitions for name, topic in TOPICS.items()} == {
        "intake.applications": 12,
        "eligibility.policies": 1,
        "eligibility.decisions": 12,
        "disbursement.awards": 12,
        "disbursement.payments": 12,
        "finance.payment-status": 12,
        "disbursement.ledger": 6,
        **{f"{service}.dead-letters": 3 for service in SERVICES},
    }


def test_an_events_key_is_a_field_of_it() -> None:
    keyless = [
        name
        for name, event in EVENTS.items()
        if TOPIC_OF[event].key not in {field.encode_name for field in msgspec.structs.fields(event)}
    ]
    finances_own = ["recovery.received", "account.verified", "account.rejected"]  # about something else than a payment
    assert keyless == [f"drawdown.{name}.v1" for name in finances_own]


def test_every_event_is_on_exactly_one_topic() -> None:
    named = {each for _, each in inspect.getmembers(events, inspect.isclass) if issubclass(each, Event) and each.TYPE}
    carried = Counter(event for topic in TOPICS.values() for event in topic.events)
    assert carried == Counter(named)
    assert len(EVENTS) == len(named), "two events share a type"


def test_a_topic_is_named_after_its_writer() -> None:
    assert all(name.split(".")[0] == topic.writer for name, topic in TOPICS.items())
    assert {topic.writer for topic in TOPICS.values()} == {*SERVICES, "finance"}


@pytest.mark.parametrize("folder", [SCHEMAS, EXAMPLES])
def test_every_event_has_its_file_and_every_file_its_event(folder: Path) -> None:
    assert {path.stem for path in folder.iterdir()} == EVENTS.keys()


def test_every_shared_word_is_used_by_some_event() -> None:
    used = {name for path in SCHEMAS.iterdir() for name in json.loads(path.read_text("utf-8")).get("$defs", {})}
    shared = {
        name
        for module in (common, policy)
        for name, each in inspect.getmembers(module, inspect.isclass)
        if issubclass(each, msgspec.Struct) and each.__module__ == module.__name__
    }
    assert shared <= used


def test_a_reader_subscribes_to_the_topics_of_its_events() -> None:
    wanted: list[type[Event]] = [events.TransferPosted, events.AwardIssued, events.ClaimPaid]
    assert topics_with(wanted) == ["disbursement.awards", "disbursement.ledger"]
