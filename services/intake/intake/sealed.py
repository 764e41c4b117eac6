"""What intake keeps sealed, for whoever seals it anew (``kit.resealing``)."""

from typing import Any, Final

from intake import persons
from intake.push import signing
from kit.resealing import Column, Row
from kit.sealing import Keyring


def _body(keyring: Keyring, row: Row) -> dict[str, Any]:
    return {"body": persons.resealed(keyring, row["application_id"], row["body"])}


def _secrets(keyring: Keyring, row: Row) -> dict[str, Any]:
    stored = {name: row[name] for name in ("secret", "previous_secret")}
    return {name: value and signing.resealed(keyring, row["webhook_id"], value) for name, value in stored.items()}


COLUMNS: Final = (
    Column(
        table="applications",
        primary_key="application_id",
        key_id="split_part(body #>> '{applicant,account,sealed}', '.', 2)",
        reads=("body",),
        reseal=_body,
        json=frozenset({"body"}),
    ),
    Column(
        table="webhooks",
        primary_key="webhook_id",
        key_id="(CASE WHEN secret LIKE 'v1.%' THEN split_part(secret, '.', 2) END)",
        reads=("secret", "previous_secret"),
        reseal=_secrets,
    ),
)
