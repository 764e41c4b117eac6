"""The programme under load: pools too large to run out, each with one scheme under the compute voucher's policy."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
import yaml

from contracts.common import Text
from contracts.events import PolicyPublished
from contracts.money import Money
from contracts.policy import PaymentRules, Policy
from disbursement.programme import Appropriation, Programme

_POLICY: Final = Path(__file__).parents[2] / "policies" / "compute-voucher.yaml"

POOLS: Final = ("hot", "warm", "mild")
APPROPRIATED: Final = Money(4_000_000_000_000_000)  # fen; JSON is exact to 9 of these millions of billions


def scheme_of(pool: str) -> str:
    """Return the one scheme that draws on a pool."""
    return f"{pool}-voucher"


def policies() -> list[Policy]:
    """Return the compute voucher's policy, once per pool, with envelopes as large as the pools."""
    policy = msgspec.convert(yaml.safe_load(_POLICY.read_text(encoding="utf-8")), Policy)
    at_once = {"payments": PaymentRules(), "stack_limit": None}  # the peer knows neither holds nor a limit by contract
    return [
        msgspec.structs.replace(policy, scheme=scheme_of(pool), pool=pool, envelope=APPROPRIATED, **at_once)
        for pool in POOLS
    ]


def programme(policies: Iterable[Policy], appropriated: Money) -> Programme:
    """Return what disbursement opens the policies' pools from."""
    pools = sorted({policy.pool for policy in policies if policy.pool})
    return Programme(tuple(Appropriation(pool, Text(zh=pool, en=pool), appropriated) for pool in pools))


def published(policy: Policy, now: datetime) -> PolicyPublished:
    """Return the event that brings a policy to every service."""
    return PolicyPublished(occurred_at=now, scheme=policy.scheme, policy_version=policy.version, policy=policy)
