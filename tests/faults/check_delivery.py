"""You are at the invariants of delivery: I7 order, fencing, poison, I9 rest, I11 recovery, I12 leaks."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from stack.grants import SERVICES
from tests.faults.director import Happened
from tests.faults.evidence import Evidence
from tests.faults.verdict import Verdict, verdict

_WRITERS: Final = ("intake", "eligibility", "disbursement")
_POOL_SIZES: Final = 8 + 4  # the loops' and the HTTP callers'
_MOST_FILES: Final = 300
_CROWDED: Final = 0.25  # where others took more of the machine, a time is not the system's own
_SHOWN_STATES: Final = ("appropriated", "available", "committed", "obligated", "disbursed")


def topics_equal_outboxes(found: Evidence) -> Verdict:
    """I7: per key, a topic holds the outbox's events in the outbox's order, none lacking, none made up."""
    wanted: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for service in _WRITERS:
        for row in sorted(found.rows(service, "outbox"), key=lambda row: row["id"]):
            if not row["topic"].endswith(".dead-letters"):
                wanted[row["topic"], row["key"]].append(str(row["event_id"]))
    there: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for topic in {topic for topic, _ in wanted}:
        for record in found.own(topic):
            there[topic, record.key].append(record.headers["ce_id"])

    def differences() -> Iterator[str]:
        for key in wanted.keys() | there.keys():
            if wanted[key] != there[key]:
                lost, more = set(wanted[key]) - set(there[key]), set(there[key]) - set(wanted[key])
                how = f"lacks {len(lost)}, has {len(more)} of nobody" if lost or more else "in another order"
                yield f"{key[0]} {key[1]}: {how}"

    events = sum(map(len, list(wanted.values())))
    return verdict("I7 topics equal outboxes", f"{events} events of {len(wanted)} keys", differences())


def the_fenced_stop(found: Evidence) -> Verdict:
    """I7, fencing: nobody works under an epoch that it was not given; whoever lost a partition claims it anew."""
    epochs = {
        (service, row["topic"], row["partition"]): (row["epoch"], row["next_offset"])
        for service in SERVICES
        for row in found.rows(service, "consumer_offset")
    }

    def differences() -> Iterator[str]:
        for theft in found.by.thefts:
            epoch, reached = epochs[theft.service, theft.topic, theft.partition]
            if epoch <= theft.epoch and reached > theft.reached:
                where = f"{theft.service} in {theft.topic}/{theft.partition}"
                yield f"{where} went from {theft.reached} to {reached} under the stolen epoch {epoch}"

    return verdict("I7f the fenced stop", f"{len(found.by.thefts)} epochs stolen", differences())


def poison_is_parked(found: Evidence) -> Verdict:
    """Nothing is silently dropped: each bad event was parked by one who reads it, each other event by nobody."""
    parked = {
        (service, (row["topic"], row["partition"], row["offset"])): row
        for service in SERVICES
        for row in found.rows(service, "parked")
    }

    def differences() -> Iterator[str]:
        for poison in found.by.poisons:
            if not any((service, poison.place) in parked for service in poison.parked_by):
                yield f"{poison.kind} at {poison.place} was parked by none of {poison.parked_by}"
            if poison.kind == "illegal state" and ("disbursement", poison.place) not in parked:
                yield f"{poison.kind} at {poison.place} was swallowed by disbursement"
        for (service, place), row in parked.items():
            if place not in found.by.intruders and row["family"] not in ("behind", "not_yet"):
                yield f"{service} parked {row['type']} at {place}: {row['reason'][:200]}"

    return verdict("I3p poison is parked, nothing else", f"{len(found.by.poisons)} bad events", differences())


def all_is_at_rest(found: Evidence, rest: tuple[float | None, list[str]]) -> Verdict:
    """I9: within the deadline nothing moved; what others show is what the owners hold."""
    seconds, moving = rest

    def differences() -> Iterator[str]:
        yield from moving
        for name, shown in found.shown_pools.items():
            for pool in found.rows("disbursement", "pools"):
                there = {state: shown[pool["pool"]][state]["amount"] for state in _SHOWN_STATES}
                here = {state: pool[state] for state in _SHOWN_STATES}
                if there != here:
                    yield f"{name} shows {there} for {pool['pool']}, the ledger holds {here}"
        yield from _views(found)

    how = f"after {seconds:.1f} s" if seconds is not None else "never"
    return verdict("I9 at rest, views equal owners", f"at rest {how}", differences())


def _views(found: Evidence) -> Iterator[str]:
    awards = {row["application_id"]: row for row in found.rows("disbursement", "awards")}
    decided = {row["application_id"]: row["outcome"] for row in found.rows("eligibility", "assessments")}
    for row in found.rows("intake", "applications"):
        award = awards.get(row["application_id"])
        if (row["award_id"] or None) != (award["award_id"] if award else None):
            yield f"intake shows award {row['award_id']} for {row['application_id']}, the owner has {award}"
        if row["status"] == "approved" or (row["status"] == "submitted" and decided.get(row["application_id"])):
            yield f"application {row['application_id']} stays {row['status']}"
    payments = {row["claim_id"]: row["status"] for row in found.rows("disbursement", "payments")}
    paid = {"settled": "paid", "returned": "payable", "instructed": "payable"}
    for row in found.rows("intake", "claims"):
        wanted = paid.get(payments.get(row["claim_id"], ""))
        if (wanted or "rejected") != row["status"]:
            yield f"claim {row['claim_id']} is {row['status']} at intake, its payment {payments.get(row['claim_id'])}"


def comes_back_in_time(happened: list[Happened]) -> Verdict:
    """I11: after a fault that had the machine for itself, an application passes all within its time."""
    alone = [each for each in happened if each.proof and each.alone and each.crowded < _CROWDED]

    def differences() -> Iterator[str]:
        for each in alone:
            if each.back is None or each.back > each.fault.back_seconds:
                took = "longer than could be waited for" if each.back is None else f"{each.back:.0f} s"
                yield f"{each.fault.name}: {took}, allowed are {each.fault.back_seconds:.0f} s"

    return verdict(
        "I11 back in time", f"{len(alone)} of {len(happened)} faults were alone on the machine", differences()
    )


def nothing_leaks(found: Evidence) -> Verdict:
    """I12: no more connections than the pools hold, none stuck in a transaction, no heap of open files."""

    def differences() -> Iterator[str]:
        for row in found.connections:
            if row["count"] > 2 * _POOL_SIZES or row["stuck"]:
                yield f"{row['usename']} has {row['count']} connections, {row['stuck']} of them stuck in a transaction"
        yield from (f"{name} has {count} open files" for name, count in found.open_files.items() if count > _MOST_FILES)

    seen = f"{sum(row['count'] for row in found.connections)} connections, {sum(found.open_files.values())} files"
    return verdict("I12 nothing leaks", seen, differences())
