"""Who shares the applicant's cap, and what others give for the same contract. Pure: read from the frozen facts."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from contracts.common import Request, Stack
from contracts.money import Money, share
from contracts.policy import Policy

OTHER_SUPPORT: Final = "other_public_support"
"""The field of ``request.details`` in which an applicant states all other public support for its contract."""


def cap_members(applicant: str, related_companies: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the companies that share the applicant's cap, itself among them, in a fixed order."""
    return tuple(sorted({applicant, *map(str, related_companies.get("members", ()))}))


def other_support(request: Request) -> Money | None:
    """Return what the applicant states of other public support; nothing when it is silent, None when unreadable."""
    stated = request.details.get(OTHER_SUPPORT)
    if stated is None:
        return Money(0)
    try:
        return msgspec.convert(stated, Money)
    except msgspec.ValidationError:
        return None


def stack(policy: Policy, request: Request) -> Stack | None:
    """Return the limit of all public support for the contract; None where the policy sets none (domain.md, rule 1)."""
    other = other_support(request)
    if policy.stack_limit is None or request.contract is None or other is None:
        return None
    return Stack(limit=Money(share(request.contract.money.amount, policy.stack_limit)), other=other)
