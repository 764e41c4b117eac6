"""What eligibility holds of an applicant, to export and to erase (``kit.privacy``).

Erased is the account's mask and what it hides. What decisions rest on stays, so that they can be run again: what was
submitted, facts, votes, statements, appeals.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.codec import to_builtins
from contracts.common import Account
from eligibility import sealed
from kit import accounts, masking, sealing
from kit.database import to_json
from kit.privacy import Item
from kit.resealing import Column
from kit.sealing import Keyring

_MINE: Final = "application_id IN (SELECT application_id FROM assessments WHERE applicant = :applicant)"
_CLAIMS: Final = f"SELECT claim_id FROM claims WHERE {_MINE}"  # noqa: S608  # constants
_SUBJECTS: Final = f"SELECT application_id FROM assessments WHERE applicant = :applicant UNION {_CLAIMS}"  # noqa: S608
_GONE: Final = Account(masking.HIDDEN, masking.HIDDEN, masking.HIDDEN, sealing.ERASED)

_LOCK: Final = text(
    "SELECT application_id, status FROM assessments WHERE applicant = :applicant ORDER BY application_id FOR UPDATE"
)
_TASKS: Final = text("SELECT kind, task_id FROM tasks WHERE applicant = :applicant AND closed_at IS NULL")
_ERASE: Final = text(
    """
    UPDATE assessments SET submitted = jsonb_set(submitted, '{company,account}', CAST(:gone AS jsonb))
    WHERE applicant = :applicant AND submitted #>> '{company,account,sealed}' IS DISTINCT FROM :erased
    """
)


class Holdings:
    """Eligibility's part of an export and of an erasure."""

    columns: Sequence[Column] = sealed.COLUMNS
    tables: Mapping[str, str] = {
        "assessments": "applicant = :applicant",
        "claims": _MINE,
        "contracts": _MINE,
        "counted_invoices": f"claim_id IN ({_CLAIMS})",
        "tasks": "applicant = :applicant",
        "votes": f"subject IN ({_SUBJECTS})",
        "statements": _MINE,
        "appeals": _MINE,
        "earlier_decisions": _MINE,
        "interests": "applicant = :applicant",
        "audit": _MINE,
        "panel_scores": _MINE,
        "placements": _MINE,
    }

    def opened(self, keyring: Keyring, table: str, row: Item) -> Item:
        if table != "assessments" or row["submitted"]["company"]["account"].get("sealed") == sealing.ERASED:
            return row
        company = row["submitted"]["company"]
        clear = accounts.opened(keyring, row["application_id"], Account(**company["account"]))
        return {**row, "submitted": {**row["submitted"], "company": {**company, "account": to_builtins(clear)}}}

    async def open_matters(self, connection: AsyncConnection, applicant: str, now: datetime) -> list[str]:
        rows = await connection.execute(_LOCK, {"applicant": applicant})
        matters = [f"assessment {row.application_id} is {row.status}" for row in rows if row.status in _RUNNING]
        tasks = await connection.execute(_TASKS, {"applicant": applicant})
        return matters + [f"{row.kind} {row.task_id} waits for a person" for row in tasks]

    async def erase(self, connection: AsyncConnection, applicant: str, now: datetime) -> dict[str, int]:
        values = {"applicant": applicant, "gone": to_json(_GONE), "erased": sealing.ERASED}
        return {"assessments": (await connection.execute(_ERASE, values)).rowcount}

    async def finish(self, connection: AsyncConnection, applicant: str) -> int:
        return 0


_RUNNING: Final = ("pending", "waiting")
