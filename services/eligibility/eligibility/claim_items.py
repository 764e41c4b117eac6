"""What a claim counts where it is not invoices: a milestone, a part, a month of a part, a sum that is called. Pure.

Each counts once in its application, as an invoice counts once in the programme, and is held in the same table: an
invoice by its seller and number, an item by its application and name.
"""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from contracts.common import Reason, Usage
from contracts.events import ApplicationSubmitted, ClaimSubmitted
from contracts.money import Money
from contracts.policy import Policy
from eligibility import texts

ItemKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Item:
    """What a claim counts: for how much, under which key (None where nothing is used up), and what was found."""

    amount: int
    key: ItemKey | None
    reasons: tuple[Reason, ...]


def candidates(claim: ClaimSubmitted) -> list[ItemKey]:
    """Return every key under which the claim's item may count, whatever its policy says: all have to be reserved."""
    if claim.milestone is None:
        return []
    monthly = [_key(claim.application_id, claim.milestone, claim.usage)] if claim.usage else []
    return [_key(claim.application_id, claim.milestone), *monthly]


def item_of(
    claim: ClaimSubmitted,
    policy: Policy,
    application: ApplicationSubmitted,
    first_day: date,
    *,
    resident: bool | None = None,
) -> Item:
    """Return what the claim counts under a policy whose basis is not invoices. ``first_day`` is the support's.

    ``resident`` is what monthly support rests on where a policy asks for an accredited community; else None.
    """
    match policy.claims.basis:
        case "milestones":
            return _milestone(claim, application)
        case "parts":
            return _part(claim, policy, first_day, resident)
        case "calls":
            return _call(claim)
        case "invoices":
            raise AssertionError("invoices are counted by claim_rules")


def milestones(application: ApplicationSubmitted) -> dict[str, Money]:
    """Return the milestones that an application laid down, by id; what can't be read is none."""
    return dict(_milestones(application.request.details.get("milestones")))


def _milestones(stated: Any) -> Iterator[tuple[str, Money]]:
    for one in stated if isinstance(stated, list) else ():
        try:
            yield str(one["id"]), msgspec.convert(one["money"], Money)
        except (KeyError, TypeError, msgspec.ValidationError):
            continue


def _milestone(claim: ClaimSubmitted, application: ApplicationSubmitted) -> Item:
    money = milestones(application).get(claim.milestone or "")
    known = texts.condition("milestone-known", holds=money is not None)
    if money is None or claim.milestone is None:
        return Item(0, None, (known,))
    return Item(money.amount, _key(claim.application_id, claim.milestone), (known,))


def _part(claim: ClaimSubmitted, policy: Policy, first_day: date, resident: bool | None) -> Item:
    part = next((part for part in policy.claims.parts if part.id == claim.milestone), None)
    known = texts.condition("milestone-known", holds=part is not None)
    if part is None:
        return Item(0, None, (known,))
    if not part.monthly:
        return Item(part.money.amount, _key(claim.application_id, part.id), (known,))
    whole = _is_in_one_month(claim.usage)
    one_month = texts.condition("usage-one-month", holds=whole)
    if not whole or claim.usage is None:
        return Item(0, None, (known, one_month))
    in_time = 0 <= _months_between(first_day, claim.usage.starts_on) < part.times
    begun = claim.usage.starts_on <= claim.submitted_at.astimezone(ZoneInfo(policy.timezone)).date()
    living = [texts.condition("resident", holds=resident)] if resident is not None else []
    reasons = (known, one_month, texts.condition("month-supported", holds=in_time and begun), *living)
    return Item(part.money.amount, _key(claim.application_id, part.id, claim.usage), reasons)


def _call(claim: ClaimSubmitted) -> Item:
    try:
        money = msgspec.convert(claim.details.get("money"), Money)
    except msgspec.ValidationError:
        return Item(0, None, (texts.condition("sum-named", holds=False),))
    return Item(money.amount, None, (texts.condition("sum-named", holds=money.amount > 0),))


def _key(application_id: UUID, name: str, usage: Usage | None = None) -> ItemKey:
    return str(application_id), f"{name}@{usage.starts_on:%Y-%m}" if usage else name


def _is_in_one_month(usage: Usage | None) -> bool:
    if usage is None:
        return False
    last = monthrange(usage.starts_on.year, usage.starts_on.month)[1]
    return usage.starts_on <= usage.ends_on <= usage.starts_on.replace(day=last)


def _months_between(first: date, later: date) -> int:
    return (later.year - first.year) * 12 + later.month - first.month
