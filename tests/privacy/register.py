"""The register of personal data. Every column and every event field is here, or in ``not_personal``.

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
