"""The companies of the city, drawn from a seed: who they are, how they stand, what they will ask for.

Pure: a company follows from (seed, index) alone and what it asks for from (seed, index, today), so that the
registers and the portal agree without sharing memory, and any number of companies can be had. Roles are dealt
out per block of 50 companies, so that even a small population meets every criterion of the policy.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final

from stack.simulators.codes import SERIALS, code_of, index_of
from stack.simulators.names import CHAIN_WEIGHTS, CHAINS, Chain, company_name

# policies/compute-voucher.yaml, districts; weighted as the AI industry sits: Nanshan first.
DISTRICTS: Final = {
    "nanshan": 30, "futian": 14, "baoan": 14, "longgang": 14, "longhua": 10, "guangming": 5,
    "luohu": 5, "pingshan": 4, "yantian": 2, "dapeng": 1, "shenshan": 1,
}  # fmt: skip
BLOCK: Final = 50
COMPANIES_AT_MOST: Final = SERIALS - 1000  # the last indexes are kept for sellers and the example

_EXAMPLE: Final = SERIALS - 300

_FIRST_REGISTRATION: Final = date(2013, 1, 1)
_REGISTRATION_DAYS: Final = 4560  # until the middle of 2025: before any contract


class Role(StrEnum):
    """What sets a company apart: how it stands in the registers, or what it asks for."""

    ORDINARY = "ordinary"
    AT_CAP = "at_cap"
    GROUPED = "grouped"
    DISSOLVED = "dissolved"
    BLACKLISTED = "blacklisted"
    UNKNOWN = "unknown"
    SELLS_TO_ITSELF = "sells_to_itself"
    UNLISTED_SELLER = "unlisted_seller"
    OVER_CONTRACT = "over_contract"


ONCE_PER_BLOCK: Final = tuple(role for role in Role if role not in {Role.ORDINARY, Role.AT_CAP, Role.GROUPED})
AT_CAP_PER_BLOCK: Final = 2


@dataclass(frozen=True, slots=True)
class Company:
    """A company of the population, as it describes itself."""

    index: int
    uscc: str
    name: str
    district: str
    registered_on: date
    chain: Chain
    headcount: int
    opc: bool
    account_number: str
    bank_code: str
    role: Role


def companies(seed: int, count: int) -> Iterator[Company]:
    """Yield the first ``count`` companies."""
    return (company(seed, index) for index in range(count))


def company(seed: int, index: int) -> Company:
    """Return the company with this index. Beyond the blocks (the example) all are ordinary."""
    draw = random.Random(f"company {seed} {index}")
    chain = draw.choices(CHAINS, CHAIN_WEIGHTS)[0]
    opc = draw.random() < 0.12
    return Company(
        index=index,
        uscc=code_of(seed, index),
        name=company_name(draw, chain),
        district=draw.choices(list(DISTRICTS), list(DISTRICTS.values()))[0],
        registered_on=_FIRST_REGISTRATION + timedelta(days=draw.randrange(_REGISTRATION_DAYS)),
        chain=chain,
        headcount=1 if opc else 2 + int(draw.lognormvariate(2.7, 1.0)),
        opc=opc,
        account_number="".join(draw.choices("0123456789", k=19)),
        bank_code=f"{draw.choice((102, 103, 104, 105, 308))}584{draw.randrange(10**6):06d}",
        role=role_of(seed, index),
    )


def example(seed: int) -> Company:
    """Return a company that the registers know and the demo never uses: for trying things by hand."""
    return company(seed, _EXAMPLE)


def find(seed: int, uscc: str, count: int) -> Company | None:
    """Return the company behind a code, or None when it is not among the first ``count`` (or the example)."""
    index = index_of(seed, uscc)
    if index is None or not (index < count or index == _EXAMPLE):
        return None
    return company(seed, index)


def role_of(seed: int, index: int) -> Role:
    if index >= COMPANIES_AT_MOST:
        return Role.ORDINARY
    return roles_in(seed, index // BLOCK)[index % BLOCK]


@lru_cache(maxsize=65_536)
def roles_in(seed: int, block: int) -> tuple[Role, ...]:
    """Return the roles of a block's companies, in the order of their indexes."""
    draw = random.Random(f"block {seed} {block}")
    special = [*ONCE_PER_BLOCK, *[Role.AT_CAP] * AT_CAP_PER_BLOCK, *[Role.GROUPED] * draw.randint(2, 4)]
    roles = special + [Role.ORDINARY] * (BLOCK - len(special))
    draw.shuffle(roles)
    return tuple(roles)
