"""What is heard of awards. Whatever becomes of one, its application stays awarded."""

from contracts.events import AwardEnded, AwardIssued
from intake.desk import Desk
from intake.heard import application_of, award_of, changed


def on_award_issued(desk: Desk, event: AwardIssued) -> None:
    """Show the award and its voucher code."""
    application = application_of(desk, event)
    application.award_id, application.voucher_code = event.award_id, event.voucher_code
    application.award = {
        "award_id": event.award_id,
        "kind": event.kind,
        "voucher_code": event.voucher_code,
        "awarded": event.awarded.amount,
        "limited_by": event.limited_by,
        "claimed": 0,
        "paid": 0,
        "rest": event.awarded.amount,
        "valid_from": event.valid_from,
        "valid_until": event.valid_until,
        "issued_at": event.occurred_at,
        "status": "active",
    }
    changed(desk, application, event, awarded=event.awarded.amount, limited_by=event.limited_by)


def on_award_revoked(desk: Desk, event: AwardEnded) -> None:
    """Show that the award has ended and nothing is left of it."""
    application = application_of(desk, event)
    application.award = {**award_of(application), "status": "revoked", "rest": 0}
    changed(desk, application, event, released=event.released.amount)
