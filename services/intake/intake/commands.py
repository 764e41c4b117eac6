"""What the portal may ask for: one command per call, and one function that carries it out on the desk.

A function either refuses before it changes anything, or changes the desk and gives its answer. The group that the
command travels in is committed before the answer leaves.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.events import ApplicationSubmitted, ApplicationWithdrawn
from contracts.refusal import Refusal
from intake import answers, claiming, hearing, persons, rules, submission, waits
from intake.claiming import CreateClaim
from intake.desk import Desk
from intake.documents import noting, references
from intake.documents.noting import AddDocument, ConfirmDocument
from intake.hearing import AnswerClarification, LodgeAppeal
from intake.records import Application
from kit.groups import Outcome
from kit.idempotency import Answer, Key
from kit.identifiers import uuid7
from kit.outbox import Announcements
from kit.sealing import keyring_of


class CreateApplication(msgspec.Struct, frozen=True, kw_only=True):
    """Keep an application as a draft, or submit it at once. ``body`` is the checked JSON."""

    key: Key | None
    traceparent: str | None
    client: str
    scheme: str
    body: dict[str, Any]
    submit: bool


class ChangeDraft(msgspec.Struct, frozen=True, kw_only=True):
    """Replace parts of a draft. ``version`` is the caller's If-Match, or None."""

    key: Key | None
    traceparent: str | None
    client: str
    application_id: UUID
    parts: dict[str, Any]
    version: int | None


class SubmitApplication(msgspec.Struct, frozen=True, kw_only=True):
    """Submit a draft."""

    key: Key | None
    traceparent: str | None
    client: str
    application_id: UUID


class WithdrawApplication(msgspec.Struct, frozen=True, kw_only=True):
    """Withdraw an application that has no award yet."""

    key: Key | None
    traceparent: str | None
    client: str
    application_id: UUID
    reason: str


Command = (
    CreateApplication
    | ChangeDraft
    | SubmitApplication
    | WithdrawApplication
    | AnswerClarification
    | LodgeAppeal
    | AddDocument
    | ConfirmDocument
    | CreateClaim
)


async def apply(
    connection: AsyncConnection, commands: Sequence[Command], now: datetime
) -> tuple[list[Outcome], Announcements]:
    """Carry out a group of commands on one desk; return each one's answer or refusal, and what is to be told."""
    desk = await _load(connection, commands, now)
    outcomes: list[Outcome] = []
    for command in commands:
        desk.said.traceparent, desk.client = command.traceparent, command.client
        try:
            outcomes.append(CARRIED_OUT_BY[type(command)](desk, command))
        except Refusal as refusal:
            outcomes.append(refusal)
    await desk.store(connection)
    return outcomes, desk.said


async def _load(connection: AsyncConnection, commands: Sequence[Command], now: datetime) -> Desk:
    desk = Desk(now, keyring_of(connection))
    await desk.load_policies(connection, new_applications=sum(isinstance(each, CreateApplication) for each in commands))
    application_ids = [command.application_id for command in commands if isinstance(command, _ON_ONE)]
    claims = [command for command in commands if isinstance(command, CreateClaim)]
    await desk.load_applications(connection, application_ids, [command.award_id for command in claims])
    await desk.load_claims_of(connection, desk.applications)
    invoices = [(invoice["seller"], invoice["number"]) for claim in claims for invoice in claim.body["invoices"]]
    await desk.load_invoices(connection, invoices)
    named = [each for command in commands for each in _documents_of(desk, command)]
    confirmed = [command.document_id for command in commands if isinstance(command, ConfirmDocument)]
    await desk.load_documents(connection, named, to_change=confirmed)
    return desk


_ON_ONE: Final = (ChangeDraft, SubmitApplication, WithdrawApplication, AnswerClarification, LodgeAppeal)


def _documents_of(desk: Desk, command: Command) -> Iterable[UUID]:
    """Return the documents that a command names, itself or by the draft that it hands in."""
    match command:
        case CreateApplication(body=body) | CreateClaim(body=body) | ChangeDraft(parts=body):
            yield from references.named_in(body)
        case AnswerClarification(documents=documents) | LodgeAppeal(documents=documents):
            yield from map(UUID, documents)
    if isinstance(command, ChangeDraft | SubmitApplication) and command.application_id in desk.applications:
        yield from references.named_in(desk.applications[command.application_id].body)


# --- applications -----------------------------------------------------------------------------------------


def create_application(desk: Desk, command: CreateApplication) -> Answer:
    """Take in an application; answer 201 with its state."""
    policy = desk.current_policy(command.scheme)
    references.check(desk.evidence, command.body["documents"])
    if command.submit:
        submission.check(policy, command.body, desk.evidence, desk.now)
    year = rules.local_date(desk.now, policy).year
    application_id = uuid7()
    application = Application(
        application_id=application_id,
        number=f"{policy.number_prefix}-{year}-{desk.numbers.pop(0):06d}",
        scheme=policy.scheme,
        applicant=command.body["applicant"]["uscc"],
        district=command.body["applicant"]["district"],
        status="draft",
        policy_version=policy.version,
        provisional=policy.provisional,
        body=persons.sealed(desk.keyring, application_id, command.body),
        created_at=desk.now,
        updated_at=desk.now,
        progress={},
        client=command.client,
    )
    desk.add(application)
    if command.submit:
        _submit(desk, application)
    else:
        desk.note(application, "application.drafted", desk.now)
    return answers.whole(desk, application, 201, location=f"/v1/applications/{application.application_id}")


def change_draft(desk: Desk, command: ChangeDraft) -> Answer:
    """Change a draft; refuse a stale If-Match with 412."""
    application = desk.find(command.application_id)
    if command.version is not None and command.version != application.version:
        raise Refusal(
            "stale",
            f"申请已被修改（当前版本 {application.version}）。请重新读取后再改。",
            f"The application has changed since (it is at {application.version}). Read it again, then change it.",
            status=412,
        )
    if application.status != "draft":
        raise rules.wrong_state(application, "修改", "changed", ["draft"])
    references.check(desk.evidence, command.parts.get("documents", []))
    parts = persons.sealed(desk.keyring, application.application_id, command.parts)
    application.body = {**application.body, **parts}
    application.applicant = application.body["applicant"]["uscc"]
    application.district = application.body["applicant"]["district"]
    waits.begin_anew(application)
    desk.change(application)
    return answers.whole(desk, application, 200)


def submit_application(desk: Desk, command: SubmitApplication) -> Answer:
    """Submit a draft under the policy in force now."""
    application = desk.find(command.application_id)
    if application.status != "draft":
        raise rules.wrong_state(application, "提交", "submitted", ["draft"])
    policy = desk.current_policy(application.scheme)
    references.check(desk.evidence, application.body["documents"])
    submission.check(policy, application.body, desk.evidence, desk.now)
    application.policy_version, application.provisional = policy.version, policy.provisional
    _submit(desk, application)
    return answers.whole(desk, application, 200)


def _submit(desk: Desk, application: Application) -> None:
    application.submitted_at = desk.now
    application.body = persons.sealed(desk.keyring, application.application_id, application.body)  # an old draft's
    desk.change(application)
    desk.note(application, ApplicationSubmitted.TYPE, desk.now)
    desk.say(submission.told(application, desk.evidence, desk.now))


def withdraw_application(desk: Desk, command: WithdrawApplication) -> Answer:
    """Withdraw an application; a draft just ends, of a submitted one the others are told."""
    application = desk.find(command.application_id)
    rules.check_withdrawable(application)
    submitted = application.submitted_at is not None
    application.progress = {**application.progress, "withdrawn_at": desk.now}
    desk.change(application)
    desk.note(application, ApplicationWithdrawn.TYPE, desk.now)
    if submitted:
        desk.say(
            ApplicationWithdrawn(
                occurred_at=desk.now,
                application_id=application.application_id,
                scheme=application.scheme,
                applicant=application.applicant,
                reason=command.reason,
            )
        )
    return answers.whole(desk, application, 200)


CARRIED_OUT_BY: Final[dict[type[Command], Callable[[Desk, Any], Answer]]] = {
    CreateApplication: create_application,
    ChangeDraft: change_draft,
    SubmitApplication: submit_application,
    WithdrawApplication: withdraw_application,
    AnswerClarification: hearing.answer_clarification,
    LodgeAppeal: hearing.lodge_appeal,
    AddDocument: noting.add_document,
    ConfirmDocument: noting.confirm_document,
    CreateClaim: claiming.create_claim,
}
