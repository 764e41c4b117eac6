"""You are at the invariants of lives: I3 effects, I4 states, I8 same answers, I10 kept after crashes."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from tests.faults.director import Happened
from tests.faults.evidence import Evidence, Record
from tests.faults.journal import Try
from tests.faults.verdict import Verdict, verdict

_CREATED: Final = 201
_SECONDS_BEFORE_CRASH: Final = 2.0


def each_answer_has_its_effect(found: Evidence) -> Verdict:
    """I3: an accepted request is there once, a refused one nowhere, an unanswered one at most once."""
    results = _final(found)
    by_contract = Counter(_contract(row["body"]) for row in found.rows("intake", "applications"))
    claims = {row["claim_id"] for row in found.rows("intake", "claims")}
    assessed = {row["application_id"] for row in found.rows("eligibility", "assessments")}

    def differences() -> Iterator[str]:
        for first, last in results.values():
            if first.path == "/v1/applications" and first.request:
                times, wanted = by_contract[_contract(first.request)], {"ok": {1}, "fail": {0}}.get(last.result, {0, 1})
                if times not in wanted:
                    yield f"{first.key} was answered {last.result}, and is there {times} times"
        answered = _claims_of(found)
        for key, claim in answered.items():
            if claim not in claims:
                yield f"claim {claim} was accepted ({key}) and is not there"
        unknown = sum(last.result == "unknown" for _, last in results.values())
        if len(claims - set(answered.values())) > unknown:
            yield f"{len(claims - set(answered.values()))} claims that nobody was told of"
        for row in found.rows("intake", "applications"):
            if row["submitted_at"] and row["application_id"] not in assessed and row["status"] != "withdrawn":
                yield f"application {row['application_id']} ({row['status']}) never reached eligibility"

    seen = f"{len(results)} requests in {len(found.tries)} tries"
    return verdict("I3 each answer has its effect once", seen, differences())


def acknowledged_stays(found: Evidence, happened: list[Happened]) -> Verdict:
    """I10: what was acknowledged just before something was killed is there after it."""
    crashes = [each.began for each in happened if each.proof and "SIGKILL" in each.proof]
    there = {row["application_id"] for row in found.rows("intake", "applications")}
    there |= {row["claim_id"] for row in found.rows("intake", "claims")}
    acknowledged = [each for each in found.tries if each.status == _CREATED]
    near = [each for each in acknowledged if any(0 < crash - each.at < _SECONDS_BEFORE_CRASH for crash in crashes)]

    def differences() -> Iterator[str]:
        for each in acknowledged:
            answer = json.loads(each.answer)
            identifier = UUID(answer.get("claim_id") or answer["application_id"])
            if identifier not in there:
                yield f"{identifier} was acknowledged at {each.at:.3f} by {each.door} and is gone"

    seen = f"{len(acknowledged)} acknowledged, {len(near)} of them within 2 s before a kill"
    return verdict("I10 acknowledged is kept", seen, differences())


def same_key_same_answer(found: Evidence) -> Verdict:
    """I8: all successful answers to a key are the same bytes; another body under it is 422."""
    answers: defaultdict[str, set[str]] = defaultdict(set)
    others = [each for each in found.tries if each.purpose == "other_body" and each.result != "unknown"]
    for each in found.tries:
        if each.result == "ok" and each.purpose != "other_body" and each.method == "POST":
            answers[each.key].add(each.answer)
    again = sum(each.purpose == "repeated" and each.result == "ok" for each in found.tries)

    def differences() -> Iterator[str]:
        yield from (f"{key} had {len(said)} different answers" for key, said in answers.items() if len(said) > 1)
        for each in found.tries:
            if each.purpose == "repeated" and each.result == "fail":
                yield f"{each.key} was accepted, and refused when sent again: {each.status} {each.answer[:150]}"
        yield from (f"{each.key} took another body: {each.status}" for each in others if each.status != 422)

    seen = f"{len(answers)} keys, {again} sent again, {len(others)} with another body"
    return verdict("I8 same key, same answer", seen, differences())


def states_move_along(found: Evidence) -> Verdict:
    """I4: each life takes its steps once and in order, and nothing rises from the dead; timelines have no gap."""
    positions: defaultdict[UUID, list[int]] = defaultdict(list)
    for row in found.rows("intake", "timeline"):
        positions[row["application_id"]].append(row["position"])
    steps = _steps(found)

    def differences() -> Iterator[str]:
        for application, numbers in positions.items():
            if sorted(numbers) != list(range(1, len(numbers) + 1)):
                yield f"the timeline of {application} has positions {sorted(numbers)}"
        for (_, identifier), types in steps.items():
            yield from (f"{identifier} had {each} {types.count(each)} times" for each in _ONCE if types.count(each) > 1)
            for earlier, later in _ORDER:
                if later in types and (earlier not in types or types.index(earlier) > types.index(later)):
                    yield f"{identifier} had {later} without {earlier} before it: {types}"
            for one, other in _EITHER:
                if one in types and other in types:
                    yield f"{identifier} had both {one} and {other}"

    return verdict("I4 states move along the table", f"{len(steps)} lives, {len(positions)} timelines", differences())


_ONCE: Final = (
    "application.submitted", "application.withdrawn", "application.approved", "application.rejected", "award.issued",
    "award.refused", "application.waitlisted", "award.revoked", "claim.submitted", "claim.verified", "claim.rejected",
    "claim.payable", "claim.paid", "claim.refused", "claim.cancelled",
)  # fmt: skip
# Within one topic only: between topics no order is promised.
_ORDER: Final = (
    ("application.submitted", "application.withdrawn"),
    ("award.issued", "award.revoked"),
    ("claim.payable", "claim.paid"),
    ("claim.payable", "claim.cancelled"),
)
_EITHER: Final = (
    ("application.approved", "application.rejected"),
    ("award.issued", "award.refused"),
    ("claim.verified", "claim.rejected"),
    ("claim.payable", "claim.refused"),
    ("claim.paid", "claim.cancelled"),
)


def _steps(found: Evidence) -> dict[tuple[str, str], list[str]]:
    """The types of the events of each application and of each claim, topic by topic in order."""
    steps: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for topic in ("intake.applications", "eligibility.decisions", "disbursement.awards"):
        for record in found.own(topic):
            steps[_subject(record)].append(record.type)
    return steps


def _subject(record: Record) -> tuple[str, str]:
    data = record.data()
    if record.type.startswith("claim."):
        return "claim", data["claim_id"]
    return "application", data["application_id"]


def _final(found: Evidence) -> dict[str, tuple[Try, Try]]:
    """The first and the last try of each request, without those that were sent again on purpose."""
    results: dict[str, tuple[Try, Try]] = {}
    for each in found.tries:
        if each.purpose == "first":
            known = results.get(each.key)
            first = known[0] if known else each
            last = known[1] if known and known[1].result == "ok" else each
            results[each.key] = (first, last)
    return results


def _claims_of(found: Evidence) -> dict[str, UUID]:
    made = [each for each in found.tries if each.status == _CREATED and each.path.endswith("/claims")]
    return {each.key: UUID(json.loads(each.answer)["claim_id"]) for each in made}


def _contract(body: Any) -> str:
    document = json.loads(body) if isinstance(body, str) else body
    return str(document["request"]["contract"]["number"])
