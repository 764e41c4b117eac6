"""The benchmark: lives are played once, then their events are replayed and read in turn."""

from typing import Final

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.harness import machine
from benchmarks.harness.cpu import Watch
from benchmarks.harness.plots import Panels
from benchmarks.harness.progress import say
from benchmarks.harness.remote import Remote
from benchmarks.harness.results import Ratio, Result
from benchmarks.harness.rounds import Run, Runs, alternate, figure, ratio
from benchmarks.ledger.databases import copy, create
from benchmarks.lifecycle import system
from benchmarks.lifecycle.ours import Ours
from benchmarks.lifecycle.run import Numbers, settings, today
from benchmarks.replay.sides import TOPICS, Reader, Rebuilder
from contracts.topics import TOPICS as TOPIC
from kit import migrations
from stack.supervisor import Stack

TITLE: Final = "Events a second when the metrics projection is rebuilt"
_EMPTY: Final = "bench_replay_empty"


class Plan(msgspec.Struct, frozen=True):
    """How many lives are played before, and how many rounds are replayed."""

    lives: int = 6_000
    rounds: int = 3


QUICK: Final = Plan(lives=600, rounds=1)  # more than one batch takes


async def measure(*, quick: bool, long_past: int | None) -> Result:
    """Run the benchmark; its past are the lives that it plays."""
    del long_past
    plan = QUICK if quick else Plan()
    async with system.running() as stack:
        facts = machine.facts() | await settings(stack)
        async with Ours.open(stack) as side:
            await side.play(Numbers().take(plan.lives), plan.lives, today())
        await create(stack.postgres, _EMPTY)
        await migrations.upgrade("metrics", stack.postgres.superuser_dsn(_EMPTY))
        records = await count(stack.kafka_bootstrap)
        facts["before"] = machine.moment(stack.config.home.path)
        say(f"{plan.lives} lives left {records} events for metrics")
        runs: Runs = {}

        async def replay() -> None:
            runs.update(await _rounds(stack, records, plan.rounds))

        await system.without_services(stack, replay)
        facts["after"] = machine.moment(stack.config.home.path)
    vs_consume = Ratio(
        "events a second from an empty projection to the last event, divided by those of a consumer that reads and "
        "decodes the same topics",
        0.3,
        0.6,
        ratio(runs["ours"], runs["consume"]),
    )
    return Result(
        {"vs_consume": vs_consume}, {f"events/{name}": figure(found, "events") for name, found in runs.items()}, facts
    )


async def count(bootstrap: str) -> int:
    """Return how many records metrics has to read."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for topic in TOPICS for number in range(TOPIC[topic].partitions)]
        begins, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        return sum(ends[place] - begins[place] for place in places)
    finally:
        await consumer.stop()


async def _rounds(stack: Stack, records: int, rounds: int) -> Runs:
    async def ours(number: int) -> Run:
        name = f"bench_replay_{number}_{len(made)}"
        made.append(name)
        await copy(stack.postgres, _EMPTY, name)
        async with Remote(Rebuilder.open, stack.postgres.superuser_dsn(name), stack.kafka_bootstrap) as side:
            return await _run(stack, side, name, records)

    async def consume(_number: int) -> Run:
        async with Remote(Reader.open, stack.kafka_bootstrap) as side:
            return await _run(stack, side, "", records)

    made: list[str] = []
    return await alternate({"ours": ours, "consume": consume}, rounds)


async def _run(stack: Stack, side: Remote, group: str, records: int) -> Run:
    running = {name: stack.components[name].child.identity for name in ("postgres", "kafka")}
    pids = {name: identity.pid for name, identity in running.items() if identity is not None}
    watch = Watch(pids | {"reader": side.pid}).start()
    units, seconds = await side.call("run", group, records)
    run = Run(units, seconds, watch.stop())
    say(f"{group or 'consume'}: {run.rate:,.0f} events/s")
    return run


def panels(result: Result) -> Panels:
    """Return the bars: events a second by side."""
    return {"Events a second": {name.partition("/")[2]: each["median"] for name, each in result.figures.items()}}
