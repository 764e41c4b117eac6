"""What is seen of a consumer from outside: its log lines about parked events, its counters, its lag."""

from collections import Counter
from collections.abc import Iterable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition

from kit import meters
from kit.batch import Handled
from kit.following import belongs_to
from kit.logging import get_logger
from kit.parking import Parked

log = get_logger(__name__)


def log_parked(events: Iterable[Parked], exc_info: Exception | None = None) -> None:
    """Write one line for each event that stopped its key."""
    for event in events:
        record = event.record
        log.error(
            "event_parked",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            family=event.family,
            reason=event.reason,
            error_class=event.error_class,
            attempts=event.attempts,
            exc_info=exc_info,
            **belongs_to(record),
        )


def count(handled: Handled) -> None:
    """Count a committed batch, and how long after its event's time each message was handled."""
    if handled.skipped:
        meters.EVENTS.labels("", "skipped").inc(handled.skipped)
    types = Counter(message.type for message in handled.messages)
    for kind, number in types.items():
        meters.EVENTS.labels(kind, "handled").inc(number)
    latest: dict[tuple[str, int], float] = {}
    for message in handled.messages:
        delay_seconds = max(0.0, (handled.now - message.time).total_seconds())
        meters.EVENT_DELAY.observe(delay_seconds)
        latest[message.topic, message.partition] = delay_seconds
    for place, delay_seconds in latest.items():
        meters.CONSUMER_LAG_SECONDS.labels(*place).set(delay_seconds)


def measure_lag(kafka: AIOKafkaConsumer, positions: Mapping[TopicPartition, int]) -> int:
    """Set the gauges of the lag as the last fetches tell it; return how many events wait in all."""
    total = 0
    for place, position in positions.items():
        end = kafka.highwater(place) if place in kafka.assignment() else None
        if end is None:
            continue
        behind = max(0, end - position)
        total += behind
        meters.CONSUMER_LAG.labels(place.topic, place.partition).set(behind)
        if behind == 0:
            meters.CONSUMER_LAG_SECONDS.labels(place.topic, place.partition).set(0)
    return total


def forget_lag(places: Iterable[TopicPartition]) -> None:
    """Take the gauges of partitions away that are somebody else's from now on: ours would stand still for ever."""
    for place in places:
        for gauge in (meters.CONSUMER_LAG, meters.CONSUMER_LAG_SECONDS):
            gauge.remove(place.topic, place.partition)
