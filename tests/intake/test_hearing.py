"""The applicant answers an officer's question and appeals against a rejection: what the portal sends and sees."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from contracts.common import Reason, Text
from contracts.events import (
    AppealDecided,
    AppealLodged,
    ApplicationLapsed,
    ApplicationRejected,
    AwardRefused,
    ClarificationAnswered,
    ClarificationRequested,
    ReviewOpened,
)
from contracts.policy import Clocks
from tests.intake.scenes import Portal, approval_of, award_of, let_pass, scan, timeline, within

CLOCKS = Clocks()
NOT_MET = Reason("blacklist", "3.2", "not_met", Text("在名单上", "It is on the list"))


def of(created: dict[str, Any], kind: Any, **what: Any) -> Any:
    return kind(
        occurred_at=what.pop("occurred_at", datetime.now(UTC)),
        application_id=UUID(created["application_id"]),
        scheme=created["scheme"],
        applicant=created["applicant"]["uscc"],
        **what,
    )


def asked(created: dict[str, Any]) -> Any:
    return of(created, ClarificationRequested, question=Text("用途？", "What for?"))


def reviewed(created: dict[str, Any], holder: str = "officer") -> Any:
    return of(created, ReviewOpened, waiting_for=Text("审核", "Review"), holder=holder)


def rejection(created: dict[str, Any], **what: Any) -> Any:
    return of(
        created,
        ApplicationRejected,
        district="nanshan",
        policy_version="1",
        provisional=False,
        reasons=(NOT_MET,),
        submitted_at=datetime.now(UTC),
        **what,
    )


async def post(portal: Portal, created: dict[str, Any], step: str, body: Any, key: str | None = "") -> httpx.Response:
    headers = {"accept-language": "en"} | ({} if key is None else {"idempotency-key": key or str(uuid4())})
    return await portal.client.post(f"/v1/applications/{created['application_id']}/{step}", json=body, headers=headers)


# --- clarification ------------------------------------------------------------------------------------------


async def test_a_question_is_shown_and_its_answer_goes_on(portal: Portal) -> None:
    created = (await portal.apply()).json()
    await portal.hear(reviewed(created), asked(created))
    state = await portal.state(created["application_id"])
    assert (state["status"], state["waiting_for"]["who"]) == ("clarifying", "applicant")
    assert state["waiting_for"]["what"] == {"zh-CN": "用途？", "en": "What for?"}
    assert within(state["waiting_for"]) == CLOCKS.clarification.within
    assert (state["clarification"]["answer"], state["clarification"]["answered_at"]) == (None, None)

    answered = await post(portal, created, "clarification", {"answer": "训练模型"})
    assert answered.status_code == 200, answered.text
    assert (answered.json()["status"], answered.json()["clarification"]["answer"]) == ("in_review", "训练模型")
    [event] = [one for one in await portal.told() if isinstance(one, ClarificationAnswered)]
    assert (event.answer, event.application_id) == ("训练模型", UUID(created["application_id"]))
    again = await post(portal, created, "clarification", {"answer": "再答"})
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state")
    assert [line["type"] for line in await timeline(portal, created)][-2:] == [
        "clarification.requested",
        "clarification.answered",
    ]


async def test_the_same_answer_sent_twice_is_one(portal: Portal) -> None:
    created = (await portal.apply()).json()
    await portal.hear(reviewed(created), asked(created))
    key = str(uuid4())
    answers = [await post(portal, created, "clarification", {"answer": "训练模型"}, key) for _ in range(2)]
    assert [one.status_code for one in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert len([one for one in await portal.told() if isinstance(one, ClarificationAnswered)]) == 1
    assert (await post(portal, created, "clarification", {"answer": "x"}, None)).json()[
        "code"
    ] == "idempotency_key_missing"


async def test_whoever_does_not_answer_lapses_and_the_others_are_told(portal: Portal) -> None:
    created = (await portal.apply()).json()
    await portal.hear(reviewed(created), asked(created))
    await let_pass(portal.database)
    assert await scan(portal.database) == 1
    assert (await portal.state(created["application_id"]))["status"] == "lapsed"
    [event] = [one for one in await portal.told() if isinstance(one, ApplicationLapsed)]
    assert event.application_id == UUID(created["application_id"])
    late = await post(portal, created, "clarification", {"answer": "训练模型"})
    assert late.json()["code"] == "wrong_state"


async def test_a_decision_ends_the_question(portal: Portal) -> None:
    created = (await portal.apply()).json()
    await portal.hear(reviewed(created), asked(created), rejection(created))
    assert (await portal.state(created["application_id"]))["status"] == "rejected"


async def test_what_can_not_be_a_document_is_refused(portal: Portal) -> None:
    created = (await portal.apply()).json()
    await portal.hear(reviewed(created), asked(created))
    refused = await post(portal, created, "clarification", {"answer": "见附件", "documents": [str(uuid4())]})
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_document")
    assert (await post(portal, created, "clarification", {"answer": " "})).status_code == 422
    assert (await portal.state(created["application_id"]))["status"] == "clarifying"


# --- appeals ------------------------------------------------------------------------------------------------


async def test_an_appeal_is_lodged_once_and_waits_for_somebody_else(portal: Portal) -> None:
    created = (await portal.apply()).json()
    early = await post(portal, created, "appeal", {"grounds": "名单有误"})
    assert (early.status_code, early.json()["code"]) == (409, "wrong_state")
    await portal.hear(rejection(created))
    lodged = await post(portal, created, "appeal", {"grounds": "名单有误"})
    assert lodged.status_code == 200, lodged.text
    state = lodged.json()
    assert (state["status"], state["waiting_for"]["who"], state["appeal"]["grounds"]) == (
        "in_review",
        "officer",
        "名单有误",
    )
    assert within(state["waiting_for"]) == CLOCKS.appeal.within
    assert (state["appeal"]["upheld"], state["appeal"]["decided_at"], state["appeal"]["reasons"]) == (None, None, [])
    [event] = [one for one in await portal.told() if isinstance(one, AppealLodged)]
    assert event.grounds == "名单有误"

    await portal.hear(of(created, AppealDecided, upheld=False, reasons=(NOT_MET,)))
    state = await portal.state(created["application_id"])
    assert (state["status"], state["appeal"]["upheld"], state["waiting_for"]) == ("rejected", False, None)
    again = await post(portal, created, "appeal", {"grounds": "再次"})
    assert (again.status_code, again.json()["code"]) == (409, "appealed_before")


async def test_an_upheld_appeal_is_assessed_anew_and_both_decisions_are_shown(portal: Portal) -> None:
    created = (await portal.apply()).json()
    await portal.hear(rejection(created))
    await post(portal, created, "appeal", {"grounds": "名单有误"})
    await portal.hear(of(created, AppealDecided, upheld=True, reasons=(NOT_MET,)))
    state = await portal.state(created["application_id"])
    assert (state["status"], state["decision"]) == ("assessing", None)
    assert state["appeal"]["appealed_against"]["outcome"] == "rejected"
    assert state["waiting_for"]["who"] == "registers"

    await portal.hear(approval_of(created), award_of(created))
    state = await portal.state(created["application_id"])
    assert (state["status"], state["decision"]["outcome"]) == ("awarded", "approved")
    assert state["appeal"]["appealed_against"]["outcome"] == "rejected"


async def test_what_is_rejected_again_after_an_appeal_is_final(portal: Portal) -> None:
    created = (await portal.apply()).json()
    await portal.hear(rejection(created))
    await post(portal, created, "appeal", {"grounds": "名单有误"})
    await portal.hear(of(created, AppealDecided, upheld=True, reasons=(NOT_MET,)), rejection(created))
    assert (await portal.state(created["application_id"]))["status"] == "rejected"
    assert (await post(portal, created, "appeal", {"grounds": "再次"})).json()["code"] == "appealed_before"


async def test_an_appeal_comes_in_time(portal: Portal) -> None:
    created = (await portal.apply()).json()
    await portal.hear(rejection(created, occurred_at=datetime.now(UTC) - timedelta(days=61)))
    late = await post(portal, created, "appeal", {"grounds": "名单有误"})
    assert (late.status_code, late.json()["code"]) == (409, "appeal_too_late")
    assert "60 days" in late.json()["detail"]


async def test_an_approval_that_gets_no_money_is_no_decision_to_appeal_against(portal: Portal) -> None:
    created = (await portal.apply()).json()
    refused = of(created, AwardRefused, reasons=(NOT_MET,))
    await portal.hear(approval_of(created), refused)
    assert (await portal.state(created["application_id"]))["status"] == "rejected"
    answer = await post(portal, created, "appeal", {"grounds": "名单有误"})
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_appeal")


@pytest.mark.parametrize("step", ["clarification", "appeal"])
async def test_there_is_no_step_of_nothing(portal: Portal, step: str) -> None:
    created = {"application_id": str(uuid4())}
    body = {"answer": "x"} if step == "clarification" else {"grounds": "x"}
    assert (await post(portal, created, step, body)).status_code == 404
