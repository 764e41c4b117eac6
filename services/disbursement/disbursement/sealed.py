"""What disbursement keeps sealed, for whoever seals it anew (``kit.resealing``)."""

from typing import Any, Final

from contracts import common
from disbursement import creditors, payment_files
from kit import accounts
from kit.resealing import Column, Row
from kit.sealing import Keyring

_APPLICATION_OF_ORDER: Final = """(SELECT payments.application_id FROM payments
    WHERE payments.payment_id = CAST(orders.subject ->> 'payment_id' AS uuid)) AS application_id"""


def _creditor(keyring: Keyring, row: Row) -> dict[str, Any]:
    return {"creditor": creditors.resealed(keyring, row["application_id"], row["creditor"])}


def _approval(keyring: Keyring, row: Row) -> dict[str, Any]:
    return {"approval": _carried(keyring, row["application_id"], row["approval"])}


def _subject(keyring: Keyring, row: Row) -> dict[str, Any]:
    return {"subject": _carried(keyring, row["application_id"], row["subject"])}


def _carried(keyring: Keyring, application_id: Any, held: dict[str, Any]) -> dict[str, Any]:
    return {**held, "creditor": creditors.carried_again(keyring, application_id, held["creditor"])}


def _account(keyring: Keyring, row: Row) -> dict[str, Any]:
    """The fingerprint is made anew, too: the key of the fingerprints may be another one."""
    found = common.Account(row["name"], row["account"], row["bank_code"], row["sealed"])
    again = accounts.resealed(keyring, row["application_id"], found)
    known_by = creditors.fingerprint(keyring, row["applicant"], accounts.opened(keyring, row["application_id"], again))
    return {"name": again.name, "account": again.account, "sealed": again.sealed, "fingerprint": known_by}


def _content(keyring: Keyring, row: Row) -> dict[str, Any]:
    content = payment_files.opened(keyring, row["message_id"], bytes(row["content"]))
    return {"content": payment_files.sealed(keyring, row["message_id"], content)}


_CREDITOR: Final = "split_part(creditor ->> 'sealed', '.', 2)"
_JSON: Final = frozenset({"creditor", "approval", "subject"})

COLUMNS: Final = (
    Column(
        table="awards",
        primary_key="award_id",
        key_id=_CREDITOR,
        reads=("application_id", "creditor"),
        reseal=_creditor,
        json=_JSON,
    ),
    Column(
        table="payments",
        primary_key="payment_id",
        key_id=_CREDITOR,
        reads=("application_id", "creditor"),
        reseal=_creditor,
        json=_JSON,
    ),
    Column(
        table="accounts",
        primary_key="verification_id",
        key_id="split_part(sealed, '.', 2)",
        reads=("application_id", "applicant", "name", "account", "bank_code", "sealed"),
        reseal=_account,
    ),
    Column(
        table="applications",
        primary_key="application_id",
        key_id="split_part(approval #>> '{creditor,sealed}', '.', 2)",
        where="jsonb_typeof(approval) = 'object'",
        reads=("approval",),
        reseal=_approval,
        json=_JSON,
    ),
    Column(
        table="orders",
        primary_key="order_id",
        key_id="split_part(subject #>> '{creditor,sealed}', '.', 2)",
        where="jsonb_typeof(subject -> 'creditor') = 'object'",
        reads=("subject", _APPLICATION_OF_ORDER),
        reseal=_subject,
        json=_JSON,
    ),
    Column(
        table="payment_files",
        primary_key="message_id",
        key_id="""(CASE WHEN substring(content FOR 3) = CAST('v1.' AS bytea)
          THEN split_part(convert_from(substring(content FOR 48), 'UTF8'), '.', 2) END)""",
        reads=("content",),
        reseal=_content,
    ),
)
