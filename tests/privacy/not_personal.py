"""What is kept or told and is not about a person: the register's other half, which no page shows."""

from typing import Final

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

COLUMNS: Final[dict[str, dict[str, str]]] = {
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
FIELDS: Final = frozenset(
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
FIELDS_OF_ONE_EVENT: Final = frozenset(
    {"payment.status_requested.question", "account.verification_requested.question", "transfer.posted.reason"}
)
