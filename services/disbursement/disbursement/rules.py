"""Pure decisions about money: which limit bites, which moves exist, when a year begins. No clock, no database."""

from calendar import monthrange
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from contracts.common import LimitedBy, Reason, Text
from contracts.money import share
from disbursement.records import Books

# domain.md, "Money moves only so", with the appropriation before them: opened, raised, lowered.
MOVES: Final = frozenset(
    {
        ("appropriated", "available"),
        ("available", "appropriated"),
        ("available", "committed"),
        ("committed", "obligated"),
        ("obligated", "disbursed"),
        ("obligated", "committed"),
        ("committed", "available"),
        ("disbursed", "available"),
    }
)


class LedgerError(AssertionError):
    """A move that must not be: the caller's checks have a hole. Nothing is posted."""


def move(books: Books, source: str, target: str, amount: int) -> None:
    """Move ``amount`` fen between two of the books' states, in place.

    Raises LedgerError for a move that does not exist, for nothing, and below zero.
    """
    if (source, target) not in MOVES:
        raise LedgerError(f"there is no move from {source} to {target}")
    if amount <= 0:
        raise LedgerError(f"a move is of at least one fen, not of {amount}")
    if source == "appropriated":
        books.appropriated += amount
    else:
        left = getattr(books, source) - amount
        if left < 0:
            raise LedgerError(f"{source} would fall to {left}")
        setattr(books, source, left)
    if target == "appropriated":
        books.appropriated -= amount
    else:
        setattr(books, target, getattr(books, target) + amount)


def award_amount(
    approved: int, *, cap_left: int | None, stack_left: int | None, envelope_left: int | None, pool_left: int
) -> tuple[int, LimitedBy]:
    """Return how much may be awarded, in fen, and which limit bit (domain.md, rule 1).

    None means that there is no such limit. Of limits that bite alike the first named counts.
    """
    least: int = approved
    limited_by: LimitedBy = "approved"
    if cap_left is not None and cap_left < least:
        least, limited_by = max(0, cap_left), "cap"
    if stack_left is not None and stack_left < least:
        least, limited_by = max(0, stack_left), "stack_limit"
    if envelope_left is not None and envelope_left < least:
        least, limited_by = envelope_left, "envelope"
    if pool_left < least:
        least, limited_by = pool_left, "pool"
    return least, limited_by


def payable_amount(eligible: int, rate: int, rest: int) -> tuple[int, str]:
    """Return what a claim pays, in fen: the least of rate x verified expense and the award's rest (rule 3)."""
    asked = share(eligible, rate)
    return (asked, "rate") if asked <= rest else (rest, "rest")


def fiscal_year(moment: datetime, timezone: str) -> int:
    """Return the calendar year in which ``moment`` falls where the programme is."""
    return moment.astimezone(ZoneInfo(timezone)).year


def months_later(moment: datetime, months: int) -> datetime:
    """Return the same time of day ``months`` later, on the last day of the month where the day does not exist."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    return moment.replace(year=year, month=month + 1, day=min(moment.day, monthrange(year, month + 1)[1]))


CAP_EXHAUSTED: Final = Reason(
    "cap_exhausted",
    "cap",
    "not_met",
    Text(
        zh="本企业（或关联企业合计）本年度该项支持已达上限。",
        en="The company, with those related to it, has reached this scheme's cap for the year.",
    ),
)
WITHDRAWN: Final = Reason(
    "withdrawn", "withdrawal", "not_met", Text(zh="申请已撤回。", en="The application was withdrawn.")
)
NOTHING_LEFT: Final = Reason(
    "award_rest_exhausted",
    "rest",
    "not_met",
    Text(zh="该支持额度已用完，无可支付金额。", en="The award has nothing left to pay this claim from."),
)
REASSESSED: Final = Reason(
    "rejected_on_reassessment",
    "reassessment",
    "not_met",
    Text("重新审核后未获批准。", "It was decided anew, and not approved."),
)
AWARD_ENDED: Final = Reason(
    "award_not_active",
    "validity",
    "not_met",
    Text(zh="该支持已失效或被撤销。", en="The award has ended."),
)
NOTHING_ELIGIBLE: Final = Reason(
    "nothing_eligible",
    "eligible",
    "not_met",
    Text(zh="按规定比例计算的应付金额为零。", en="The rate applied to the verified expense gives less than one fen."),
)
STACK_EXHAUSTED: Final = Reason(
    "stack_limit_reached",
    "stack_limit",
    "not_met",
    Text(
        zh="该合同获得的各级财政支持合计已达上限。",
        en="All public support for this contract together has reached its limit.",
    ),
)
PAYMENT_CANCELLED: Final = Reason(
    "payment_cancelled",
    "payment",
    "not_met",
    Text(zh="款项未能支付，已撤销付款，额度已恢复。", en="The payment was given up; its money is back in the award."),
)
