"""Who belongs to whom, and who sells computing power: cap groups, listed providers, one unlisted seller.

A cap group lies within one block of the population, so that it too follows from the seed alone.
"""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final

from stack.simulators.codes import SERIALS, code_of, index_of
from stack.simulators.names import provider_name
from stack.simulators.population import BLOCK, COMPANIES_AT_MOST, Role, role_of, roles_in

PROVIDERS: Final = 8
_SELL_EVERYTHING: Final = 4  # the first of them also sell models and corpora
# The first blocks' groups belong to a listed provider, so that a related seller occurs.
OWNING_PROVIDERS: Final = (5, 6, 7)

_PROVIDERS_FROM: Final = SERIALS - 100
_UNLISTED_SELLER: Final = SERIALS - 200


@dataclass(frozen=True, slots=True)
class Provider:
    """A listed seller of computing power, some of models and corpora too."""

    uscc: str
    name: str
    listed_from: date
    listed_until: date
    services: tuple[str, ...]


def related(seed: int, uscc: str) -> list[str]:
    """Return the codes of all companies under the same controller, itself included, sorted."""
    index = index_of(seed, uscc)
    if index is None:
        return [uscc]
    block = _owned_block(index) if index >= COMPANIES_AT_MOST else index // BLOCK
    if block is None or (index < COMPANIES_AT_MOST and role_of(seed, index) is not Role.GROUPED):
        return [uscc]
    members = [code_of(seed, member) for member in group(seed, block)]
    owner = owner_of(seed, block)
    return sorted([*members, owner] if owner else members)


def group(seed: int, block: int) -> list[int]:
    """Return the indexes of the block's cap group: two to four companies under one controller."""
    roles = roles_in(seed, block)
    return [block * BLOCK + place for place, role in enumerate(roles) if role is Role.GROUPED]


def owner_of(seed: int, block: int) -> str | None:
    """Return the provider that controls this block's group, if one does."""
    return providers(seed)[OWNING_PROVIDERS[block]].uscc if block < len(OWNING_PROVIDERS) else None


@lru_cache(maxsize=8)
def providers(seed: int) -> tuple[Provider, ...]:
    """Return the listed sellers of computing power."""
    return tuple(
        Provider(
            code_of(seed, _PROVIDERS_FROM + number),
            provider_name(number),
            listed_from=date(2024, 1, 1),
            listed_until=date(2030, 12, 31),
            services=("compute", "model", "corpus") if number < _SELL_EVERYTHING else ("compute",),
        )
        for number in range(PROVIDERS)
    )


def unlisted_seller(seed: int) -> str:
    """Return the code of a company that sells computing power and is on no list."""
    return code_of(seed, _UNLISTED_SELLER)


def _owned_block(index: int) -> int | None:
    number = index - _PROVIDERS_FROM
    return OWNING_PROVIDERS.index(number) if number in OWNING_PROVIDERS else None
