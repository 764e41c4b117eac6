"""The applicant is asked something, and answers; the applicant appeals against a rejection, once.

Both ways: what the portal sends, and what is heard of it from eligibility.
"""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from contracts.codec import to_builtins
from contracts.events import AppealDecided, AppealLodged, ClarificationAnswered, ClarificationRequested
from contracts.policy import Policy
from contracts.refusal import Refusal
from intake import answers, rules
from intake.desk import Desk
from intake.documents import references
from intake.heard import application_of, changed
from intake.records import Application
from kit.idempotency import Answer, Key

CLARIFICATION: Final = "clarification"
APPEAL: Final = "appeal"


class AnswerClarification(msgspec.Struct, frozen=True, kw_only=True):
    """Answer what an officer asked."""

    key: Key | None
    traceparent: str | None
    client: str
    application_id: UUID
    answer: str
    documents: list[str]


class LodgeAppeal(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for a rejection to be looked at again, by somebody else."""

    key: Key | None
    traceparent: str | None
    client: str
    application_id: UUID
    grounds: str
    documents: list[str]


# --- what the portal sends ------------------------------------------------------------------------------------


def answer_clarification(desk: Desk, command: AnswerClarification) -> Answer:
    """Hand the applicant's answer on; from now on an officer is waited for again."""
    application = desk.find(command.application_id)
    if application.status != "clarifying":
        raise rules.wrong_state(application, "答复", "answered", ["clarifying"])
    references.check(desk.evidence, command.documents)
    asked = application.progress[CLARIFICATION]
    said = {"answer": command.answer, "answered_at": desk.now}
    application.progress = {**application.progress, CLARIFICATION: {**asked, **said}}
    desk.change(application)
    desk.note(application, ClarificationAnswered.TYPE, desk.now, answer=command.answer, documents=command.documents)
    desk.say(
        ClarificationAnswered(
            occurred_at=desk.now,
            application_id=application.application_id,
            scheme=application.scheme,
            applicant=application.applicant,
            answer=command.answer,
            documents=references.told(desk.evidence, command.documents),
        )
    )
    return answers.whole(desk, application, 200)


def lodge_appeal(desk: Desk, command: LodgeAppeal) -> Answer:
    """Hand an appeal on; an application has one."""
    application = desk.find(command.application_id)
    _check_appealable(application, desk.policies[application.scheme][application.policy_version], desk.now)
    references.check(desk.evidence, command.documents)
    lodged = {"grounds": command.grounds, "lodged_at": desk.now}
    application.progress = {**application.progress, APPEAL: lodged}
    desk.change(application)
    desk.note(application, AppealLodged.TYPE, desk.now, grounds=command.grounds, documents=command.documents)
    desk.say(
        AppealLodged(
            occurred_at=desk.now,
            application_id=application.application_id,
            scheme=application.scheme,
            applicant=application.applicant,
            grounds=command.grounds,
            documents=references.told(desk.evidence, command.documents),
        )
    )
    return answers.whole(desk, application, 200)


def _check_appealable(application: Application, policy: Policy, now: datetime) -> None:
    """Raise a Refusal unless the rejection can be appealed against: once, in time, and where it was a decision."""
    if APPEAL in application.progress:
        raise Refusal(
            "appealed_before",
            "该申请已申诉过，每个申请只能申诉一次。",
            "This application was appealed for before. An appeal is possible once.",
        )
    decision = application.decision
    if application.status != "rejected":
        raise rules.wrong_state(application, "申诉", "appealed for", ["rejected"])
    if decision is None or decision["outcome"] != "rejected":
        raise Refusal(
            "nothing_to_appeal",
            "该申请已获批准，但可用额度为零，不属于可申诉的决定。",
            "It was approved, and no money is left under a limit: there is no decision to appeal against.",
        )
    until = datetime.fromisoformat(str(decision["decided_at"])) + timedelta(days=policy.appeal_days)
    if now > until:
        raise Refusal(
            "appeal_too_late",
            f"申诉期限为决定后{policy.appeal_days}日，已于 {until.isoformat()} 届满。",
            f"An appeal is lodged within {policy.appeal_days} days of the decision; they ended at {until.isoformat()}.",
        )


# --- what is heard of it --------------------------------------------------------------------------------------


def on_clarification_requested(desk: Desk, event: ClarificationRequested) -> None:
    """Show what the applicant is asked; their clock runs."""
    application = application_of(desk, event)
    asked = {"question": to_builtins(event.question), "asked_at": event.occurred_at}
    application.progress = {**application.progress, CLARIFICATION: asked}
    changed(desk, application, event, question=asked["question"])


def on_appeal_decided(desk: Desk, event: AppealDecided) -> None:
    """Show what the appeal came to. One that is upheld opens the application again; the old decision stays with it."""
    application = application_of(desk, event)
    appeal: dict[str, Any] = {
        **application.progress.get(APPEAL, {}),
        "upheld": event.upheld,
        "decided_at": event.occurred_at,
        "reasons": to_builtins(event.reasons),
    }
    if event.upheld:
        appeal["appealed_against"], application.decision = application.decision, None
    application.progress = {**application.progress, APPEAL: appeal}
    changed(desk, application, event, upheld=event.upheld)
