"""What is heard of awards, and of money that is asked back. Whatever becomes of it, the application stays awarded."""

from typing import Final

from contracts.events import (
    AwardChanged,
    AwardClosed,
    AwardEnded,
    AwardExpired,
    AwardExpiryAnnounced,
    AwardIssued,
    AwardRecovered,
    AwardRevoked,
    Event,
    RecoveryClosed,
    RecoveryDemanded,
)
from intake import recoveries, rules
from intake.desk import Desk
from intake.heard import application_of, award_of, changed
from intake.records import NEW_AWARD

_ENDS: Final[dict[type[Event], str]] = {AwardExpired: "expired", AwardRevoked: "revoked", AwardClosed: "closed"}


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
        **NEW_AWARD,
    }
    changed(desk, application, event, awarded=event.awarded.amount, limited_by=event.limited_by)


def on_award_changed(desk: Desk, event: AwardChanged) -> None:
    """Show what an award has become after its approval was decided anew."""
    application = application_of(desk, event)
    award = award_of(application)
    application.award = award | {
        "awarded": award["awarded"] + event.added.amount,
        "released": award["released"] + event.released.amount,
        "rest": event.rest.amount,
        "limited_by": event.limited_by,
        "status": rules.award_status(award["status"], event.rest.amount),
    }
    amounts = {name: getattr(event, name).amount for name in ("approved", "added", "released", "rest", "to_recover")}
    changed(desk, application, event, **amounts)


def on_award_expiry_announced(desk: Desk, event: AwardExpiryAnnounced) -> None:
    """Show that the company was told how long it may still claim."""
    application = application_of(desk, event)
    application.award = award_of(application) | {"expiry_announced_at": event.occurred_at}
    changed(desk, application, event, rest=event.rest.amount, valid_until=event.valid_until)


def on_award_ended(desk: Desk, event: AwardEnded) -> None:
    """Show that the award has ended: nothing is left of it, ``released`` went back."""
    application = application_of(desk, event)
    award = award_of(application)
    ended = {"status": _ENDS[type(event)], "rest": 0, "released": award["released"] + event.released.amount}
    application.award = award | ended
    reason = getattr(event, "reason", "")
    changed(desk, application, event, released=event.released.amount, **({"reason": reason} if reason else {}))


# --- money that is asked back -------------------------------------------------------------------------------


def on_recovery_demanded(desk: Desk, event: RecoveryDemanded) -> None:
    """Show what is asked back, why, and until when."""
    application = application_of(desk, event)
    recoveries.hear(application, event)
    told = {"recovery_id": event.recovery_id, "money": event.money.amount, "due_at": event.due_at}
    changed(desk, application, event, reason=event.reason, **told)


def on_award_recovered(desk: Desk, event: AwardRecovered) -> None:
    """Show that money came back: so much less was paid on the award."""
    application = application_of(desk, event)
    recoveries.hear(application, event)
    award, amount = award_of(application), event.money.amount
    application.award = award | {"paid": award["paid"] - amount, "recovered": award["recovered"] + amount}
    told = {"recovery_id": event.recovery_id, "money": amount, "outstanding": event.outstanding.amount, "by": event.by}
    changed(desk, application, event, **told)


def on_recovery_closed(desk: Desk, event: RecoveryClosed) -> None:
    """Show that a demand is done with, and how."""
    application = application_of(desk, event)
    recoveries.hear(application, event)
    amounts = {name: getattr(event, name).amount for name in ("received", "netted", "written_off")}
    changed(desk, application, event, recovery_id=event.recovery_id, outcome=event.outcome, **amounts)
