"""What eligibility keeps sealed, for whoever seals it anew (``kit.resealing``): nobody else here opens it."""

from typing import Any, Final

import msgspec

from contracts.codec import to_builtins
from contracts.events import ApplicationSubmitted
from eligibility.store.assessments import with_account
from kit import accounts
from kit.resealing import Column, Row
from kit.sealing import Keyring


def _submitted(keyring: Keyring, row: Row) -> dict[str, Any]:
    found = msgspec.convert(row["submitted"], ApplicationSubmitted)
    account = accounts.resealed(keyring, found.application_id, found.company.account, found.company.name)
    return {"submitted": to_builtins(with_account(found, account))}


COLUMNS: Final = (
    Column(
        table="assessments",
        primary_key="application_id",
        key_id="split_part(submitted #>> '{company,account,sealed}', '.', 2)",
        reads=("submitted",),
        reseal=_submitted,
        json=frozenset({"submitted"}),
    ),
)
