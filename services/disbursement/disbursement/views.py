"""What finance's commands answer, as JSON."""

from collections.abc import Mapping
from typing import Any

import msgspec

from disbursement import creditors
from disbursement.records import Order


def order(found: Order) -> dict[str, Any]:
    """Return an order as it is shown: its subject's fields stand beside its own."""
    fields = msgspec.structs.asdict(found)
    subject = fields.pop("subject")
    told = {name: value for name, value in subject.items() if name != "kind"}
    if told.get("creditor") is not None:
        told["creditor"] = creditors.shown(told["creditor"])
    return {**fields, "subject": told}


def payment_file(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a file of payments as it is shown: what it is, not what is in it."""
    return {**row, "control_sum": {"amount": row["control_sum"], "currency": "CNY"}}
