"""The population: deterministic, valid, found again by code, of real sizes, with dates that make sense."""

from collections import Counter
from datetime import date
from itertools import pairwise

import msgspec
import pytest
from stdnum.cn import uscc

from contracts.common import Uscc
from contracts.policy import Policy
from stack.simulators.asks import Ask, ask
from stack.simulators.codes import SERIALS, code_of, index_of
from stack.simulators.population import (
    BLOCK,
    DISTRICTS,
    ONCE_PER_BLOCK,
    Role,
    companies,
    company,
    example,
    find,
)
from stack.simulators.relations import OWNING_PROVIDERS, group, owner_of, providers, related, unlisted_seller

SEED = 1
TODAY = date(2026, 3, 15)


def asks(count: int = 1000, seed: int = SEED) -> list[Ask]:
    return [ask(seed, company, TODAY) for company in companies(seed, count)]


def test_the_same_seed_gives_the_same_companies_and_asks() -> None:
    assert asks(200) == asks(200)
    assert asks(200) != asks(200, seed=2)


def test_a_company_does_not_depend_on_how_many_there_are() -> None:
    assert company(SEED, 777) == list(companies(SEED, 1000))[777]


@pytest.mark.parametrize("seed", [0, 1, 2**31])
def test_every_code_is_valid_unique_and_leads_back(seed: int) -> None:
    indexes = [*range(500), SERIALS - 1]
    codes = [code_of(seed, index) for index in indexes]
    assert all(uscc.is_valid(code) for code in codes)
    assert len(set(codes)) == len(codes)
    assert [index_of(seed, code) for code in codes] == indexes


@pytest.mark.parametrize("code", ["", "91440300MA5003FYB0", "91110000600037341L", "x" * 18])
def test_a_foreign_or_broken_code_leads_nowhere(code: str) -> None:
    assert index_of(SEED, code) is None


def test_codes_match_the_contract() -> None:
    codes = [company.uscc for company in companies(SEED, 100)]
    assert msgspec.convert(codes, list[Uscc]) == codes


def test_the_districts_are_those_of_the_policy(compute_voucher: Policy) -> None:
    assert set(DISTRICTS) == set(compute_voucher.districts)
    assert {company.district for company in companies(SEED, 2000)} == set(DISTRICTS)


def test_every_block_has_each_kind_of_trouble_once() -> None:
    for first in range(0, 500, BLOCK):
        roles = Counter(company(SEED, index).role for index in range(first, first + BLOCK))
        assert all(roles[role] == 1 for role in ONCE_PER_BLOCK)
        assert 2 <= roles[Role.GROUPED] <= 4


def test_most_asks_are_small_and_few_meet_the_cap() -> None:
    amounts = sorted(ask.amount for ask in asks())
    at_cap = sum(amount * 6 // 10 >= 1_000_000_000 for amount in amounts)
    assert amounts[len(amounts) // 2] < 100_000_000
    assert 0.02 <= at_cap / len(amounts) <= 0.06


def test_a_group_passes_the_cap_together() -> None:
    blocks = range(3, 20)
    sums = [sum(ask(SEED, company(SEED, i), TODAY).amount for i in group(SEED, block)) for block in blocks]
    assert sum(total * 6 // 10 > 1_000_000_000 for total in sums) > len(sums) / 2


def test_a_contract_was_signed_lately_and_covers_today() -> None:
    for each in asks():
        dates = [
            each.company.registered_on,
            each.contract.signed_on,
            each.contract.starts_on,
            TODAY,
            each.contract.ends_on,
        ]
        assert all(earlier <= later for earlier, later in pairwise(dates))
        assert (TODAY - each.contract.signed_on).days <= 150


def test_only_who_should_asks_for_more_than_the_contract() -> None:
    over = {each.company.role for each in asks() if each.amount > each.contract.amount}
    assert over == {Role.OVER_CONTRACT}


def test_sellers_are_listed_but_for_the_known_exceptions() -> None:
    listed = {provider.uscc for provider in providers(SEED)}
    for each in asks():
        match each.company.role:
            case Role.SELLS_TO_ITSELF:
                assert each.contract.provider == each.company.uscc
            case Role.UNLISTED_SELLER:
                assert each.contract.provider == unlisted_seller(SEED) not in listed
            case _:
                assert each.contract.provider in listed


def test_some_buy_from_a_provider_that_controls_them() -> None:
    related_sellers = [each for each in asks() if each.contract.provider in related(SEED, each.company.uscc)]
    assert sum(each.company.role is Role.GROUPED for each in related_sellers) == len(OWNING_PROVIDERS)


def test_relation_is_mutual() -> None:
    for block in range(5):
        members = [code_of(SEED, index) for index in group(SEED, block)]
        owner = owner_of(SEED, block)
        everyone = sorted([*members, owner] if owner else members)
        assert all(related(SEED, member) == everyone for member in everyone)


def test_the_example_is_known_and_alone() -> None:
    one = example(SEED)
    assert find(SEED, one.uscc, count=10) == one
    assert one.role is Role.ORDINARY
    assert related(SEED, one.uscc) == [one.uscc]


def test_a_company_beyond_the_count_is_not_found() -> None:
    assert find(SEED, code_of(SEED, 10), count=10) is None
    assert find(SEED, code_of(SEED, 9), count=10) == company(SEED, 9)
