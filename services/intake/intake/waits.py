"""What an application or a claim waits for, of whom, and until when. Pure: the time is handed in.

The wait follows from the status, and its deadline is copied from the policy when it begins: a change of status stops
one clock and starts the next, in the transaction that changes it.
"""

from datetime import datetime
from typing import Final, Protocol

import msgspec

from contracts.common import Text
from contracts.policy import Clocks
from intake import recoveries
from intake.records import Application, Claim


class Wait(msgspec.Struct, frozen=True):
    """One kind of wait: the clock of the policy that runs, who acts, and what is said of it.

    ``money``, ``panel`` and ``public_notice`` have no clock.

    ``due_at`` is the deadline where the one who asks has set it; else it follows from the policy.
    """

    kind: str
    who: str
    what: Text
    due_at: datetime | None = None


class Waiting(Protocol):
    """A record that may wait: nothing to wait for, no deadline to keep, none missed are None."""

    waits_for: str | None
    waits_since: datetime | None
    due_at: datetime | None
    missed_at: datetime | None


MONEY: Final = "money"
RECOVERY: Final = "recovery"
PANEL: Final = "panel"  # until the call has closed and is ranked
PUBLIC_NOTICE: Final = "public_notice"  # ends on the day that eligibility knows: no clock of its own

_OF_APPLICATIONS: Final = {
    "draft": Wait("draft", "applicant", Text("申请尚未提交", "The draft has not been submitted")),
    "submitted": Wait("decision", "eligibility", Text("等待审核", "Waits to be assessed")),
    "assessing": Wait("registers", "registers", Text("等待外部登记系统", "Waits for outside registers")),
    "clarifying": Wait(
        "clarification", "applicant", Text("请答复工作人员的问题", "Waits for the answer to an officer's question")
    ),
    "in_review": Wait("officer", "officer", Text("人工审核中", "Waits for an officer")),
    "public_notice": Wait(
        PUBLIC_NOTICE,
        "eligibility",
        Text("公示中，期满自动继续", "It is shown in public; it goes on by itself after that"),
    ),
    "approved": Wait("award", "disbursement", Text("等待拨付额度", "Waits for its award")),
    "waitlisted": Wait(
        MONEY,
        "disbursement",
        Text(
            "预算不足，按提交时间候补，无固定期限",
            "Waits in line for money, in the order of submission; there is no deadline",
        ),
    ),
}
_PANEL: Final = Wait(
    PANEL, "panel", Text("等待专家评分和排序", "A panel scores and ranks the call after it has closed")
)
_APPEAL: Final = Wait("appeal", "officer", Text("申诉办理中，由其他工作人员决定", "Somebody else decides the appeal"))
_ON_HOLD: Final = Wait(
    MONEY,
    "disbursement",
    Text(
        "资金池账目正在核对，核对完成后按提交时间办理，无固定期限",
        "The pool's books are being checked; after that it goes on in the order of submission; there is no deadline",
    ),
)
_RECOVERY: Final = Wait(
    RECOVERY, "applicant", Text("须退还已拨付的款项", "Money that was paid out has to be paid back")
)
_VERIFICATION: Final = Wait("verification", "eligibility", Text("等待核验", "Waits to be verified"))
_INSTRUCTION: Final = Wait("instruction", "disbursement", Text("等待付款指令", "Waits for its payment instruction"))
_PAYMENT: Final = Wait("payment", "finance", Text("等待付款结果", "Waits for the outcome of its payment"))
_ACCOUNT: Final = Wait(
    "account",
    "finance",
    Text("款项被银行退回，等待更正收款账户", "The bank sent the payment back: waits for a corrected account"),
)
_RELEASE: Final = Wait(
    "release",
    "finance",
    Text(
        "付款暂缓：正在核实收款账户或复核付款",
        "The payment is held: its account is being verified, or it waits for its release",
    ),
)
_OF_PAYMENTS: Final = {"instructed": _PAYMENT, "held": _RELEASE, "returned": _ACCOUNT}

KINDS: Final = Clocks.__struct_fields__


def of_application(application: Application) -> Wait | None:
    """Return what an application waits for, or None when it waits for nothing."""
    if application.status == "waitlisted" and application.progress.get("waitlisted", {}).get("on_hold"):
        return _ON_HOLD
    if application.status == "in_review" and application.decision is not None:
        return _APPEAL
    if application.status == "in_review" and application.progress.get("review", {}).get("holder") == PANEL:
        return _PANEL
    if application.status == "awarded" and (demands := recoveries.open_demands(application)):
        first = min((demand.due_at for demand in demands if demand.due_at is not None), default=None)
        return msgspec.structs.replace(_RECOVERY, due_at=first)
    return _OF_APPLICATIONS.get(application.status)


def of_claim(claim: Claim) -> Wait | None:
    """Return what a claim waits for, or None when it waits for nothing."""
    match claim.status:
        case "submitted":
            return _VERIFICATION
        case "verifying":
            return _INSTRUCTION
        case "payable":
            return _OF_PAYMENTS.get(claim.payment["status"]) if claim.payment else _PAYMENT
        case _:
            return None


def follow(record: Waiting, wait: Wait | None, clocks: Clocks, now: datetime) -> None:
    """Let the record's clock be that of ``wait``: one that runs for it already goes on, any other is stopped."""
    kind, due_at = (wait.kind, wait.due_at) if wait else (None, None)
    if kind == record.waits_for and due_at in (None, record.due_at):
        return
    deadline = getattr(clocks, kind) if kind in KINDS else None
    record.waits_for, record.missed_at = kind, None
    record.waits_since = now if kind else None
    record.due_at = due_at or (now + deadline.within if deadline else None)


def begin_anew(record: Waiting) -> None:
    """Let the next ``follow`` start the clock again."""
    record.waits_for = None


def is_missed(record: Waiting, now: datetime) -> bool:
    """Return whether the deadline has passed and nobody has acted on that yet."""
    return record.due_at is not None and record.due_at <= now and record.missed_at is None
