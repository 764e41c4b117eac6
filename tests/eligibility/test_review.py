"""What votes amount to: how many it takes, who counts, for how much, and when it is over."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.common import Text
from contracts.money import Money
from contracts.policy import Review
from eligibility import review
from eligibility.review import Standing, Vote
from tests.eligibility.scenes import NOW

TEXT = Text("理由", "Why")
SEEN = "facts"


def vote(officer: str, approve: bool = True, **changes: Any) -> Vote:
    plain: dict[str, Any] = {"reasons": TEXT, "at": NOW, "facts": SEEN}
    return Vote(officer=officer, approve=approve, **plain | changes)


def stand(rules: Review, *votes: Vote, computed: int = 1_000, later: timedelta = timedelta(0)) -> Standing:
    return review.standing(rules, computed, votes, SEEN, NOW + later)


ONE = Review(route="persons")
THREE = Review(route="persons", votes=3, needed="majority")
SECOND = Review(route="persons", second_above=Money(500))


@pytest.mark.parametrize(
    ("rules", "votes", "outcome"),
    [
        (ONE, "", "open"),
        (ONE, "y", "approved"),
        (ONE, "n", "rejected"),
        (THREE, "yy", "open"),
        (THREE, "yyn", "approved"),
        (THREE, "ynn", "rejected"),
        (Review(route="persons", votes=4, needed="majority"), "yynn", "rejected"),
        (Review(route="persons", votes=3), "yyn", "rejected"),
        (Review(route="persons", votes=3), "yyy", "approved"),
        (SECOND, "y", "open"),
        (SECOND, "yy", "approved"),
        (SECOND, "yn", "rejected"),
    ],
)
def test_what_votes_come_to(rules: Review, votes: str, outcome: str) -> None:
    given_ = [vote(f"officer-{place}", letter == "y") for place, letter in enumerate(votes)]
    assert stand(rules, *given_).outcome == outcome


def test_a_second_vote_is_needed_above_the_threshold_only() -> None:
    assert stand(SECOND, vote("a"), computed=500).outcome == "approved"
    assert stand(SECOND, vote("a", amount=500)).outcome == "approved"
    assert stand(SECOND, vote("a", amount=501)).outcome == "open"


def test_the_least_amount_that_was_named_counts_and_never_more_than_computed() -> None:
    assert stand(SECOND, vote("a", amount=900), vote("b", amount=800)).amount == 800
    assert stand(ONE, vote("a", amount=9_999)).amount == 1_000
    assert stand(THREE, vote("a", False, amount=1), vote("b"), vote("c")).amount == 1_000


def test_a_vote_on_other_facts_is_void() -> None:
    found = stand(SECOND, vote("a", facts="before"), vote("b"))
    assert (found.outcome, [one.officer for one in found.counted]) == ("open", ["b"])


def test_public_notice_begins_with_the_last_vote() -> None:
    rules = Review(route="persons", votes=2, public_notice_days=5)
    votes = vote("a"), vote("b", at=NOW + timedelta(days=1))
    assert stand(rules, *votes, later=timedelta(days=5)).outcome == "public_notice"
    assert stand(rules, *votes, later=timedelta(days=6)).outcome == "approved"
    assert stand(rules, vote("a"), vote("b", False)).outcome == "rejected"


def test_a_hash_says_what_was_seen_not_when() -> None:
    one: dict[str, dict[str, Any]] = {
        "credit_record": {"blacklisted": False, "asked_at": "1"},
        "review": {"votes": [1]},
    }
    assert review.hash_of(one) == review.hash_of({"credit_record": {"blacklisted": False, "asked_at": "2"}})
    assert review.hash_of(one) != review.hash_of({"credit_record": {"blacklisted": True, "asked_at": "1"}})


_RULES = st.builds(
    Review,
    route=st.just("persons"),
    votes=st.integers(1, 5),
    needed=st.sampled_from(["all", "majority"]),
    second_above=st.one_of(st.none(), st.builds(Money, st.integers(0, 1_200))),
)
_VOTES = st.lists(st.tuples(st.booleans(), st.one_of(st.none(), st.integers(1, 1_500)), st.booleans()), max_size=8)


@given(_RULES, _VOTES)
def test_an_approval_has_as_many_persons_behind_it_as_the_rules_want(rules: Review, given_: Any) -> None:
    votes = [
        vote(f"officer-{place}", approve, amount=amount, facts=SEEN if current else "before")
        for place, (approve, amount, current) in enumerate(given_)
    ]
    found = stand(rules, *votes)
    assert found.amount <= 1_000
    if found.outcome != "approved":
        return
    behind = [one for one in votes if one.approve and one.facts == SEEN]
    if rules.needed == "all":
        assert len(behind) >= rules.votes
        if rules.second_above is not None and found.amount > rules.second_above.amount:
            assert len(behind) >= rules.votes + 1
    else:
        assert 2 * len(behind) > len(found.counted) >= rules.votes
