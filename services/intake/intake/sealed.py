"""What intake keeps sealed, for whoever seals it anew (``kit.resealing``)."""

from typing import Any, Final

from intake import persons
from kit.resealing import Column, Row
from kit.sealing import Keyring


def _body(keyring: Keyring, row: Row) -> dict[str, Any]:
    return {"body": persons.resealed(keyring, row["application_id"], row["body"])}


COLUMNS: Final = (
    Column(
        table="applications",
        primary_key="application_id",
        key_id="split_part(body #>> '{applicant,account,sealed}', '.', 2)",
        reads=("body",),
        reseal=_body,
        json=frozenset({"body"}),
    ),
)
