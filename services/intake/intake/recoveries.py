"""Money that is asked back: what was heard of each demand. Pure.

``recovery.demanded`` and ``recovery.closed`` come on one topic, ``award.recovered`` on another, and the order between
the two is not given. So each event adds its own part, and what the portal is shown follows from all parts.
"""

from datetime import datetime
from uuid import UUID

import msgspec

from contracts.codec import to_builtins
from contracts.events import AwardRecovered, RecoveryClosed, RecoveryDemanded
from intake.records import Application


class End(msgspec.Struct, frozen=True):
    """What ``recovery.closed`` said. Amounts in fen."""

    outcome: str
    received: int
    netted: int
    written_off: int


class Recovery(msgspec.Struct, kw_only=True):
    """One demand. ``money`` is None until the demand itself was heard; ``came_back`` is what came since. In fen."""

    recovery_id: UUID
    award_id: UUID
    money: int | None = None
    reason: str = ""
    due_at: datetime | None = None
    came_back: int = 0
    came_back_netted: int = 0
    said_outstanding: int = 0
    end: End | None = None

    @property
    def status(self) -> str:
        return self.end.outcome if self.end else "demanded"

    @property
    def received(self) -> int:
        return max(self.came_back, self.end.received if self.end else 0)

    @property
    def netted(self) -> int:
        return max(self.came_back_netted, self.end.netted if self.end else 0)

    @property
    def written_off(self) -> int:
        return self.end.written_off if self.end else 0

    @property
    def outstanding(self) -> int:
        """Return the fen that are still owed; as ``award.recovered`` said it while the demand is on its way."""
        if self.end is not None:
            return 0
        return self.said_outstanding if self.money is None else max(0, self.money - self.came_back)


def hear(application: Application, event: RecoveryDemanded | RecoveryClosed | AwardRecovered) -> None:
    """Add what an event says to what is known of its demand."""
    key = str(event.recovery_id)
    recovery = _all(application).get(key) or Recovery(recovery_id=event.recovery_id, award_id=event.award_id)
    match event:
        case RecoveryDemanded():
            recovery.money, recovery.reason, recovery.due_at = event.money.amount, event.reason, event.due_at
        case RecoveryClosed():
            recovery.end = End(event.outcome, event.received.amount, event.netted.amount, event.written_off.amount)
        case AwardRecovered():
            recovery.came_back += event.money.amount
            recovery.came_back_netted += event.money.amount if event.by == "netting" else 0
            recovery.said_outstanding = event.outstanding.amount
    application.recoveries = {**application.recoveries, key: to_builtins(recovery)}


def demanded(application: Application) -> list[Recovery]:
    """Return every demand that was heard, in the order in which they were made."""
    return [recovery for _, recovery in sorted(_all(application).items()) if recovery.money is not None]


def outstanding(application: Application) -> int:
    """Return the fen that are owed on the application's award."""
    return sum(recovery.outstanding for recovery in _all(application).values())


def open_demands(application: Application) -> list[Recovery]:
    """Return the demands that are not done with."""
    return [recovery for recovery in demanded(application) if recovery.end is None]


def _all(application: Application) -> dict[str, Recovery]:
    return msgspec.convert(application.recoveries, dict[str, Recovery])
