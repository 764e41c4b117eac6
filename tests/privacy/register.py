"""The register of personal data: every column and every event field is here, as personal or as not.

`docs/reference/personal-data.md` is made from it: `python -m tests.privacy.register` writes the page.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "personal-data.md"

DUTY: Final = "duty"
"""Needed for the statutory duty to grant, pay and account for public money (PIPL, article 13 (3))."""

SEALED: Final = "sealed (AES-256-GCM); a mask beside it"
MASKED: Final = "masked; the rest sealed"
LOGIN: Final = "the login name only, as the token has it"
BOOKS: Final = "as long as the books"
ON_REQUEST: Final = "until erased"


@dataclass(frozen=True)
class Entry:
    """Where something about a person stands, what for, for how long, who reads it, and how it is protected."""

    where: tuple[str, ...]
    what: str
    purpose: str
    kept: str
    read_by: str
    protected: str
    ground: str = DUTY


def at(*where: str) -> tuple[str, ...]:
    return where


OFFICERS: Final = Entry(
    at(
        "eligibility.votes.officer",
        "eligibility.tasks.holder",
        "eligibility.interests.officer",
        "eligibility.audit.who",
        "eligibility.panel_scores.panellist",
        "eligibility.rankings.decided_by",
        "disbursement.orders.proposed_by",
        "disbursement.orders.decided_by",
        "disbursement.payment_files.created_by",
        "disbursement.bank_files.received_by",
        "disbursement.known_flaws.signed_by",
        *(f"{service}.parked.settled_by" for service in ("intake", "eligibility", "disbursement", "metrics")),
        *(f"{service}.redrive_audit.who" for service in ("intake", "eligibility", "disbursement", "metrics")),
        *(f"{service}.privacy_audit.who" for service in ("intake", "eligibility", "disbursement")),
    ),
    "officers, panellists, finance's people, operators: who did what",
    "two persons behind an approval, no interest of their own, audit",
    BOOKS,
    "officers, auditors, operators",
    LOGIN,
)

DATABASES: Final = (
    Entry(
        at("intake.applications.body"),
        "account's holder and number",
        "to pay the award",
        ON_REQUEST,
        "nobody in intake; mask: the portal that sent it, officers, auditors",
        SEALED,
    ),
    Entry(
        at("intake.applications.body"),
        "contact: name, e-mail, telephone",
        "whom officers may ask",
        ON_REQUEST,
        "the portal that sent it; mask: officers, auditors",
        SEALED,
    ),
    Entry(
        at("intake.documents.name"),
        "file names, and the files in the document store",
        "evidence for a decision",
        ON_REQUEST,
        "the portal that sent it, officers, auditors, the contract's provider",
        "access by token and client; the store's own encryption",
    ),
    Entry(
        at(
            "intake.applications.progress",
            "intake.timeline.data",
            "eligibility.statements.document",
            "eligibility.appeals.grounds",
            "eligibility.appeals.outcome",
            "eligibility.votes.reasons",
            "eligibility.interests.why",
            "eligibility.earlier_decisions.document",
            "eligibility.assessments.facts",
            "eligibility.audit.data",
            "eligibility.panel_scores.comment",
            "disbursement.orders.reason",
            "disbursement.orders.decision_reason",
            "disbursement.awards.end_reason",
            "disbursement.recoveries.reason",
        ),
        "free text and facts, which may name a person: answers, grounds, reasons, comments",
        "what a decision rests on, to run it again",
        BOOKS,
        "the portal that sent it, officers, auditors",
        "access by token",
    ),
    Entry(
        at("eligibility.assessments.submitted"),
        "account: mask, and what it hides",
        "carried on to the award",
        ON_REQUEST,
        "mask: officers, auditors",
        MASKED,
    ),
    Entry(
        at("eligibility.claims.submitted", "intake.claims.body"),
        "what was claimed; `details` is free and may name a person",
        "to verify the claim",
        BOOKS,
        "the portal that sent it, officers, auditors",
        "access by token",
    ),
    Entry(
        at(
            "disbursement.awards.creditor",
            "disbursement.payments.creditor",
            "disbursement.applications.approval",
            "disbursement.orders.subject",
            "disbursement.accounts.name",
            "disbursement.accounts.account",
            "disbursement.accounts.bank_code",
            "disbursement.accounts.sealed",
        ),
        "account's holder and number",
        "to verify the account and to pay",
        ON_REQUEST,
        "finance, by the topic or by files; mask: orders",
        SEALED,
    ),
    Entry(
        at("disbursement.accounts.fingerprint"),
        "whether an account is one that was verified",
        "to ask finance once about each account",
        ON_REQUEST,
        "nobody",
        "HMAC-SHA-256 under a key of its own",
    ),
    Entry(
        at("disbursement.payment_files.content"),
        "accounts of all payments in the file",
        "the order to the bank: a voucher of the books",
        BOOKS,
        "finance",
        "sealed (AES-256-GCM)",
    ),
    OFFICERS,
    Entry(
        at(*(f"{service}.privacy_audit.why" for service in ("intake", "eligibility", "disbursement"))),
        "why something was exported or erased",
        "audit",
        BOOKS,
        "operators, auditors",
        "access by token",
    ),
    Entry(
        at(*(f"{service}.outbox.data" for service in ("intake", "eligibility", "disbursement", "metrics"))),
        "events until they are dropped, below",
        "to publish, to send again",
        "7 days (`*_RETENTION_DAYS`)",
        "the relay",
        "events with an account in clear are sealed",
    ),
    Entry(
        at(*(f"{service}.idempotency.body" for service in ("intake", "eligibility", "disbursement", "metrics"))),
        "what was answered, which shows what was sent",
        "the same answer to the same request",
        "8 days",
        "whoever sends the same request again",
        "sealed (AES-256-GCM)",
    ),
    Entry(
        at(*(f"{service}.parked.value" for service in ("intake", "eligibility", "disbursement", "metrics"))),
        "events that can't be handled, below",
        "to handle them later",
        "until settled; the data of settled ones until erased",
        "operators",
        "as on the topic",
    ),
)

EVENTS: Final = (
    Entry(
        at("application.submitted.company", "application.approved.creditor", "application.reassessed.creditor"),
        "account: mask, and what it hides",
        "carried on from intake to disbursement",
        "the topic's retention",
        "mask: every reader; the rest: who has the keyring",
        MASKED,
    ),
    Entry(
        at("payment.instructed.creditor", "account.verification_requested.creditor"),
        "account's holder and number, in clear",
        "finance pays, or says whose the account is",
        "the topic's retention",
        "the finance system (ACL of `disbursement.payments`)",
        "TLS and ACL of the topic; sealed in the outbox",
    ),
    Entry(
        at(
            "application.submitted.request",
            "application.withdrawn.reason",
            "clarification.answered.answer",
            "appeal.lodged.grounds",
            "claim.submitted.details",
            "clarification.requested.question",
            "application.reassessed.because",
            "award.revoked.reason",
            "award.closed.reason",
            "recovery.demanded.reason",
            "payment.cancelled.reason",
            "envelope.set.reason",
        ),
        "free text, which may name a person",
        "what a decision rests on",
        "the topic's retention",
        "the services",
        "ACL of the topic",
    ),
)

# --- what is not personal ---------------------------------------------------------------------------------------------

_DELIVERY: Final = {
    "consumer_offset": "consumer_group topic partition next_offset epoch",
    "idempotency": "client key request_hash status headers created_at",
    "inbox": "event_id received_at",
    "outbox": "id created_at event_id topic key type subject time traceparent headers",
    "parked": "id topic partition offset key event_id type headers family reason error_class attempts state parked_at "
    "next_try_at settled_at settled_why",
    "redrive_audit": "id at why action topic key handled stopped_by",
    "relay": "name cursor holder token expires_at",
}
_ERASURES: Final = {"privacy_audit": "id at action applicant changed"}
_CLOCK: Final = "due_at next_step_at missed_at questions"

NOT_PERSONAL: Final[dict[str, dict[str, str]]] = {
    "intake": {
        **_DELIVERY,
        **_ERASURES,
        "applications": "application_id number scheme applicant district status version policy_version provisional "
        "created_at updated_at submitted_at decision award award_id voucher_code recoveries happenings client "
        "waits_for waits_since due_at missed_at",
        "claims": "claim_id application_id award_id applicant status submitted_at updated_at eligible payable netted "
        "payment reasons waits_for waits_since due_at missed_at",
        "documents": "document_id client kind media_type size sha256 uploaded_at finding confirmed_by confirmed_at "
        "erased_at",
        "invoices": "seller number claim_id",
        "policies": "scheme version policy",
        "timeline": "application_id position at type claim_id",
        "pushes": "id created_at client application_id applicant type data",
        "pushes_forgotten": "up_to",
        "webhooks": "webhook_id client url events status disabled_because disabled_at secret previous_secret "
        "previous_secret_until cursor missed not_before version created_at updated_at",
        "deliveries": "delivery_id webhook_id position application_id type body status created_at attempts next_try_at "
        "leased_until failing_since last_attempt_at last_status last_error delivered_at",
    },
    "eligibility": {
        **_DELIVERY,
        **_ERASURES,
        "appeals": "application_id lodged_at decided_at upheld",
        "assessments": "application_id scheme applicant policy_version submitted_at traceparent status outcome reasons "
        "approved cap_holder decided_at waits_for next_try_at attempts leased_until lease_token due_at missed_at "
        "left_seconds approved_at",
        "audit": "id at what application_id claim_id task_id facts",
        "claims": "claim_id application_id status eligible reasons decided_at",
        "contracts": "scheme provider number application_id",
        "counted_invoices": "seller number claim_id",
        "earlier_decisions": "application_id position",
        "interests": "applicant declared_at",
        "panel_scores": "application_id score scored_at",
        "placements": "application_id scheme version document",
        "policies": "scheme version content_hash document published_at",
        "rankings": "scheme version document decided_at",
        "statements": "application_id position",
        "tasks": "task_id kind application_id claim_id scheme applicant opened_at due_at claimed_at closed_at outcome",
        "votes": "subject approve amount at facts",
    },
    "disbursement": {
        **_DELIVERY,
        **_ERASURES,
        "accounts": f"verification_id applicant application_id scheme policy_version status reason_code asked_at "
        f"answered_at {_CLOCK}",
        "applications": "application_id applicant scheme fiscal_year state submitted_at",
        "awards": "award_id application_id applicant scheme fiscal_year pool district cap_holder policy_version kind "
        "voucher_code rate approved awarded committed obligated disbursed released limited_by status issued_at "
        "valid_from valid_until contract_provider contract_number recovered expires_at noticed_at next_step_at "
        "ended_at corrected_to excess",
        "bank_files": "message_id kind sha256 received_at reports answer",
        "caps": "scheme fiscal_year holder granted",
        "claims": "claim_id award_id application_id applicant eligible payable limited_by status verified_at",
        "companies": "uscc members as_of",
        "envelopes": "scheme fiscal_year pool appropriated available committed obligated disbursed",
        "known_flaws": "pool version why signed_at",
        "ledger_checkpoints": "pool reader version hash appropriated available committed obligated disbursed",
        "lines": "scheme fiscal_year pool waiting short_of wake",
        "nettings": "payment_id recovery_id amount",
        "orders": "order_id kind status proposed_at decided_at",
        "payment_file_entries": "payment_id attempt message_id",
        "payment_files": "message_id pools created_at payments control_sum sha256",
        "payments": f"payment_id claim_id award_id application_id applicant scheme pool amount end_to_end_id status "
        f"attempt instructed_at settled_at returned_at bank_reference reason_code {_CLOCK} netted hold released "
        f"verification_id",
        "policies": "scheme version policy",
        "pools": "pool name_zh name_en appropriated available committed obligated disbursed version hash on_hold",
        "reconciliation_turns": "name taken_at done_at",
        "reconciliations": "check_name pool difference detail found_at checked_at",
        "recoveries": f"recovery_id award_id application_id applicant scheme pool demanded received netted reserved "
        f"written_off status demanded_at closed_at {_CLOCK}",
        "reports": "event_id payment_id recovery_id verification_id type amount end_to_end_id bank_reference attempt "
        "effect detail received_at",
        "stacks": "provider number granted",
        "topic_positions": "topic partition next_offset checked_id",
        "transfers": "pool version transfer_id command source target amount scheme award_id claim_id payment_id hash "
        "document posted_at",
    },
    "metrics": {
        **_DELIVERY,
        "applications": "application_id scheme company intake eligibility disbursement clarifications appeals "
        "submitted_at approved_at rejected_at waitlisted_at awarded_at refused_at withdrawn_at lapsed_at claimed_at "
        "paid_at waits_for_pool waits_for awarded measures",
        "award_years": "award_id fiscal_year",
        "claims": "claim_id scheme submitted_at instructed_at settled_at",
        "companies_behind": "pool district month state company",
        "envelope_years": "scheme fiscal_year appropriated",
        "envelopes": "scheme policy_version envelope title_zh title_en",
        "flows": "pool scheme district day state amount",
        "parties": "application_id pool district month state",
        "pools": "pool version hash appropriated available committed obligated disbursed carried_available "
        "carried_committed carried_obligated carried_disbursed breaks last_break",
        "progress": "topic last_event_at",
        "scheme_balances": "pool scheme fiscal_year state amount",
        "tallies": "name scheme label value",
    },
}

# By name: a field has one meaning in all events.
NOT_PERSONAL_FIELDS: Final = frozenset(
    [
        "added",
        "applicant",
        "application_id",
        "appropriated",
        "approved",
        "attempt",
        "award_id",
        "awarded",
        "balances",
        "bank_reference",
        "by",
        "cap_holder",
        "cap_members",
        "claim_id",
        "contract",
        "district",
        "documents",
        "due_at",
        "eligible",
        "end_to_end_id",
        "fiscal_year",
        "from",
        "hash",
        "holder",
        "instructed_at",
        "invoices",
        "kind",
        "limited_by",
        "milestone",
        "money",
        "netted",
        "number",
        "occurred_at",
        "on_hold",
        "order_id",
        "outcome",
        "outstanding",
        "paid",
        "payable",
        "payment_id",
        "payment_status",
        "policy",
        "policy_version",
        "pool",
        "posted_at",
        "previous_hash",
        "provisional",
        "purpose",
        "rate",
        "reason_code",
        "reasons",
        "received",
        "received_at",
        "recovery_id",
        "released",
        "rest",
        "returned_at",
        "scheme",
        "settled_at",
        "short_of",
        "stack",
        "submitted_at",
        "to",
        "to_recover",
        "transfer_id",
        "upheld",
        "usage",
        "valid_from",
        "valid_until",
        "verification_id",
        "version",
        "voucher_code",
        "waiting_for",
        "written_off",
    ]
)
NOT_PERSONAL_IN: Final = frozenset(
    {"payment.status_requested.question", "account.verification_requested.question", "transfer.posted.reason"}
)


def page() -> str:
    """Return the page as it stands in its file."""
    return HEAD + "\n".join(
        [
            "\n## In the databases\n",
            *_table(DATABASES),
            "\n## On the topics\n",
            "Topics not named here carry nothing of a person. A `<service>.dead-letters` topic copies what could not",
            "be handled, as it was on its topic.\n",
            *_table(EVENTS),
            FOOT,
        ]
    )


def _table(entries: Iterable[Entry]) -> list[str]:
    head = ["| what | where | purpose | kept | who reads it | protected |", "|---|---|---|---|---|---|"]
    return head + [
        f"| {one.what} | {', '.join(f'`{where}`' for where in one.where)} | {one.purpose} | {one.kept} "
        f"| {one.read_by} | {one.protected} |"
        for one in entries
    ]


HEAD: Final = """\
# Personal data

Generated by `python -m tests.privacy.register`; do not edit. A test fails when a column or an event's field is in no
part of that register.

Applicants are companies. Their codes (USCC) and names stand in a public register and are not listed here; of a
one-person company they point to a person, and stay, because the books are about them. Listed is what names, reaches or
pays a person, and where free text may. The ground is the same for all of it: it is needed for the statutory duty to
grant, pay and account for public money (Personal Information Protection Law, article 13 (3)); there is no consent to
withdraw. How long the books are kept is the city's archive rule, not a setting. What to do:
[handle personal data](../how-to/handle-personal-data.md). Why so:
[decision 0017](../decisions/0017-accounts-travel-sealed.md).
"""

FOOT: Final = """
## Elsewhere

| where | what | kept |
|---|---|---|
| logs | login names, companies' codes, ids; all else is taken out (`kit.redaction`) | by who collects them |
| metrics | nothing of a person, and no company in a label | |
| traces' ids | nothing of a person | |
| policies | nothing of a person | for good |
| `programme.yaml` | the city's own accounts, where payments go in files | by its operator |
| the document store | the bytes of evidence, which may name anybody | until erased |
| the keyring | the keys of all that is sealed; never in a database, a backup of one, or a log | by its operator |
| exports | all of one applicant, in clear: a file that only its maker can read | by its maker |
"""

if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
