"""The opening morning's plan and its verdict: is the crowd as it should be, and would the verdict see what is wrong?"""

from collections import Counter
from uuid import UUID, uuid4

import msgspec
import pytest

from benchmarks.opening import verdict
from benchmarks.opening.crowd import Heard, Told, ill_formed
from benchmarks.opening.plan import Intent, Manner, Plan, intents
from benchmarks.opening.verdict import Application
from benchmarks.opening.watch import Look, Progress
from benchmarks.opening.wire import Answer

PLAN = Plan(submissions=2_000, companies=260, seconds=60.0)


def test_the_crowd_is_what_it_is_said_to_be() -> None:
    wanted = list(intents(PLAN))
    manners = Counter(intent.manner for intent in wanted)
    assert len(wanted) == PLAN.submissions
    assert len({intent.applicant for intent in wanted}) == PLAN.companies
    assert 0.035 < manners[Manner.MALFORMED] / len(wanted) < 0.065
    hanging = manners[Manner.HANGS_UP_AFTER] + manners[Manner.HANGS_UP_MIDWAY]
    assert 0.01 < hanging / len(wanted) < 0.03
    assert {len(intent.clicks) for intent in wanted} == {1, 2, 3}
    assert all(list(intent.clicks) == sorted(intent.clicks) for intent in wanted)
    assert len({intent.contract for intent in wanted}) == len(wanted)
    early = sum(intent.clicks[0] < PLAN.seconds / 10 for intent in wanted)
    assert early > 3 * len(wanted) / 10, "there is no rush"
    assert list(intents(PLAN)) == wanted, "the two processes would not have the same plan"


@pytest.fixture
def wanted() -> list[Intent]:
    return list(intents(PLAN))[:200]


def in_order(wanted: list[Intent]) -> tuple[Heard, list[Application]]:
    """Return what is heard and listed of a morning on which all went well."""
    told: dict[int, Told] = {}
    listed = []
    for intent in wanted:
        if intent.refused is not None:
            told[intent.number] = Told(refusals={intent.refused})
        elif intent.must_be_accepted:
            application_id = uuid4()
            told[intent.number] = Told(application_id, 1.0, {b"digest"})
            listed.append(application(intent, application_id))
    return Heard(told, [], [], Counter(), [], 0.0, 0, 0.0), listed


def application(intent: Intent, application_id: UUID) -> Application:
    body = {
        "application_id": application_id,
        "number": f"CV-{uuid4()}",
        "status": "submitted",
        "applicant": {"uscc": intent.applicant},
        "request": {"contract": {"number": intent.contract}},
    }
    return msgspec.convert(body, Application)


def said(wanted: list[Intent], heard: Heard, listed: list[Application]) -> str:
    return "; ".join(verdict.differences(wanted, heard, listed))


def test_a_morning_in_order_has_no_differences(wanted: list[Intent]) -> None:
    assert said(wanted, *in_order(wanted)) == ""


def test_each_thing_that_could_go_wrong_is_seen(wanted: list[Intent]) -> None:
    usual = next(intent for intent in wanted if intent.manner is Manner.USUAL)
    malformed = next(intent for intent in wanted if intent.refused)
    heard, listed = in_order(wanted)
    assert "2 times" in said(wanted, heard, [*listed, application(usual, uuid4())])
    assert "was accepted as" in said(wanted, heard, [each for each in listed if each.contract != usual.contract])
    assert "(malformed" in said(wanted, heard, [*listed, application(malformed, uuid4())])
    assert "nobody asked" in said(wanted[1:], heard, [*listed, application(wanted[0], uuid4())])
    heard.told[usual.number].answers.add(b"another")
    assert "2 different answers" in said(wanted, heard, listed)
    heard.told[usual.number] = Told()
    assert "was never accepted" in said(wanted, heard, listed)
    heard.told[malformed.number] = Told()
    assert f"intent {malformed.number} (malformed" in said(wanted, heard, listed)


def test_a_refusal_that_is_no_problem_document_is_seen() -> None:
    good = b'{"type": "urn:x", "title": "No", "status": 422, "code": "no", "detail": "No."}'
    headers = {"content-type": "application/problem+json", "content-language": "en"}
    assert ill_formed(Answer(422, headers, good)) == []
    assert ill_formed(Answer(500, {"content-type": "text/plain"}, b"Internal Server Error"))
    assert ill_formed(Answer(422, headers, good.replace(b'"no"', b'""')))
    assert ill_formed(Answer(409, headers, good))
    assert ill_formed(Answer(422, {**headers, "content-language": "zh-CN"}, good))


def test_the_share_decided_counts_what_the_portal_shows_as_ended_by_then() -> None:
    progress = Progress("", 0.0)
    progress.looks = [
        Look(10.0, {"submitted": 4, "awarded": 2}),
        Look(70.0, {"approved": 3, "awarded": 3, "rejected": 2, "in_review": 1}),
        Look(130.0, {"awarded": 6, "rejected": 2, "in_review": 1, "waitlisted": 1}),
    ]
    assert progress.share_within(75, 10) == 0.6
    assert progress.share_within(120, 10) == 0.6
    assert progress.share_within(150, 10) == 1.0
    assert progress.seconds_until(10) == 130.0
    assert progress.seconds_until(11) is None
