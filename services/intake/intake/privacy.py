"""What intake holds of an applicant, to export and to erase (``kit.privacy``).

The books stay: amounts, invoices, states. Erased are account, contact, and
the documents: their bytes, and their names. Texts that decisions rest on (answers,
grounds) stay with the decisions.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.policy import Policy
from intake import persons, recoveries, sealed, tables
from intake.documents.store import DocumentStore
from intake.records import Application
from kit import masking
from kit.database import to_json
from kit.privacy import Item
from kit.resealing import Column
from kit.sealing import Keyring

_OVER: Final = ("rejected", "withdrawn", "lapsed", "awarded")
_CLAIMS_OVER: Final = ("paid", "rejected", "withdrawn")
_MINE: Final = "SELECT application_id FROM applications WHERE applicant = :applicant"
_DOCUMENTS: Final = f"""
    SELECT CAST(named AS uuid) FROM applications, jsonb_array_elements_text(body -> 'documents') AS named
      WHERE applicant = :applicant
    UNION SELECT CAST(named AS uuid) FROM claims, jsonb_array_elements_text(body -> 'documents') AS named
      WHERE applicant = :applicant
    UNION SELECT CAST(body #>> '{{usage,statement}}' AS uuid) FROM claims
      WHERE applicant = :applicant AND body #>> '{{usage,statement}}' IS NOT NULL
    UNION SELECT CAST(named AS uuid) FROM timeline,
        jsonb_array_elements_text(coalesce(data -> 'documents', '[]')) AS named
      WHERE application_id IN ({_MINE})
"""  # noqa: S608  # constants
_ERASE: Final = text("UPDATE applications SET body = CAST(:body AS jsonb) WHERE application_id = :application_id")
_ERASE_DOCUMENTS: Final = text(
    f"UPDATE documents SET name = :hidden, erased_at = :now WHERE erased_at IS NULL AND document_id IN ({_DOCUMENTS})"  # noqa: S608
)
_ERASED_DOCUMENTS: Final = text(
    f"SELECT document_id FROM documents WHERE erased_at IS NOT NULL AND document_id IN ({_DOCUMENTS})"  # noqa: S608
)


class Holdings:
    """Intake's part of an export and of an erasure."""

    columns: Sequence[Column] = sealed.COLUMNS
    tables: Mapping[str, str] = {
        "applications": "applicant = :applicant",
        "claims": "applicant = :applicant",
        "invoices": "claim_id IN (SELECT claim_id FROM claims WHERE applicant = :applicant)",
        "timeline": f"application_id IN ({_MINE})",
        "documents": f"document_id IN ({_DOCUMENTS})",
        "pushes": "applicant = :applicant",
        "deliveries": f"application_id IN ({_MINE})",
    }

    def __init__(self, store: DocumentStore | None) -> None:
        self._store = store

    def opened(self, keyring: Keyring, table: str, row: Item) -> Item:
        if table != "applications":
            return row
        applicant, application_id = row["body"]["applicant"], row["application_id"]
        clear = {
            "account": persons.account_of(keyring, application_id, applicant),
            "contact": persons.contact_of(keyring, application_id, applicant),
        }
        return {**row, "body": {**row["body"], "applicant": {**applicant, **clear}}}

    async def open_matters(self, connection: AsyncConnection, applicant: str, now: datetime) -> list[str]:
        columns = tables.applications.c
        query = select(tables.applications).where(columns.applicant == applicant).order_by(columns.application_id)
        found = [Application(**row) for row in (await connection.execute(query.with_for_update())).mappings()]
        matters = [word for application in found if (word := await _open(connection, application, now))]
        claims = select(tables.claims.c.claim_id, tables.claims.c.status).where(
            tables.claims.c.applicant == applicant, tables.claims.c.status.not_in(_CLAIMS_OVER)
        )
        return matters + [f"claim {row.claim_id} is {row.status}" for row in await connection.execute(claims)]

    async def erase(self, connection: AsyncConnection, applicant: str, now: datetime) -> dict[str, int]:
        columns = tables.applications.c
        query = select(columns.application_id, columns.body).where(columns.applicant == applicant)
        gone = [
            {"application_id": row.application_id, "body": to_json(_erased(row.body, now))}
            for row in await connection.execute(query)
            if "erased_at" not in row.body
        ]
        if gone:
            await connection.execute(_ERASE, gone)
        values = {"applicant": applicant, "now": now, "hidden": masking.HIDDEN}
        documents = (await connection.execute(_ERASE_DOCUMENTS, values)).rowcount
        return {"applications": len(gone), "documents": documents}

    async def finish(self, connection: AsyncConnection, applicant: str) -> int:
        """Delete the bytes of the documents that are noted as erased."""
        if self._store is None:
            return 0
        ids = (await connection.execute(_ERASED_DOCUMENTS, {"applicant": applicant})).scalars().all()
        for document_id in ids:
            await self._store.delete(document_id)
        return len(ids)


def _erased(body: dict[str, Any], now: datetime) -> dict[str, Any]:
    at = now.isoformat()
    return {**persons.erased(body, at), "erased_at": at}


async def _open(connection: AsyncConnection, application: Application, now: datetime) -> str | None:
    """Return what of an application is not finished, in words."""
    if application.status not in _OVER:
        return f"application {application.number} is {application.status}"
    award = application.award
    if award is not None and (award["status"] == "active" or recoveries.open_demands(application)):
        return f"application {application.number} has an award that is {award['status']}, or money is asked back"
    if application.status == "rejected" and await _appealable(connection, application, now):
        return f"application {application.number} can still be appealed for"
    return None


async def _appealable(connection: AsyncConnection, application: Application, now: datetime) -> bool:
    decision = application.decision
    if decision is None or decision["outcome"] != "rejected" or "appeal" in application.progress:
        return False
    columns = tables.policies.c
    query = select(columns.policy).where(
        columns.scheme == application.scheme, columns.version == application.policy_version
    )
    policy = msgspec.convert((await connection.execute(query)).scalar_one(), Policy)
    return now <= datetime.fromisoformat(str(decision["decided_at"])) + timedelta(days=policy.appeal_days)
