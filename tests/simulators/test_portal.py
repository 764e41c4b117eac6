"""The portal and its season: everything is sent once, whatever breaks, and everything told is kept."""

from datetime import date
from itertools import pairwise

import httpx
import pytest

from stack.simulators.asks import ask
from stack.simulators.calls import Caller, NoAnswerError
from stack.simulators.claims import ClaimPlan, claims
from stack.simulators.population import companies
from stack.simulators.portal import Portal
from stack.simulators.season import Season, StillMovingError, Tally, season_asks
from tests.simulators.conftest import Serve
from tests.simulators.fake_intake import FakeIntake

SEED, COUNT, TODAY = 1, 120, date(2026, 3, 15)
ASKS = season_asks(SEED, COUNT, TODAY)


async def play(serve: Serve, intake: FakeIntake, seconds: float = 60) -> tuple[Portal, list[Tally]]:
    async with serve(intake.app()) as client:
        portal = Portal(Caller(client, str(client.base_url), patience_seconds=30), SEED, TODAY)
        seen: list[Tally] = []
        await Season(portal, ASKS, seen.append).play(seconds)
        return portal, seen


async def test_a_season_ends_with_every_company_answered(serve: Serve) -> None:
    intake = FakeIntake()
    portal, seen = await play(serve, intake)
    told = portal.told
    assert {str(each) for each in told.accepted} == intake.applications.keys()
    assert len(told.accepted) == COUNT
    assert intake.steps["withdrawal"]
    # Whether a withdrawal or the award comes first is open: the portal has to know which it was.
    withdrawn = {each for each, state in intake.applications.items() if state["status"] == "withdrawn"}
    assert {str(each) for each in told.withdrawn} == withdrawn
    assert told.claims_refused.keys() == {"invoice_already_claimed"}
    assert not told.surprises
    last = seen[-1]
    assert (last.asked, last.submitted, last.decided) == (COUNT, COUNT, COUNT)
    assert last.claims_planned == last.claims_filed == last.paid_or_given_up == len(told.claims) > COUNT


async def test_failures_and_lost_answers_double_nothing(serve: Serve) -> None:
    """Whoever takes an application back too late is awarded, and claims: that alone may differ."""
    quiet, failing = FakeIntake(), FakeIntake(failing=0.3)
    undisturbed, _ = await play(serve, quiet)
    portal, _ = await play(serve, failing)
    assert failing.broken_keys == []
    assert len(failing.answers.keys() - quiet.answers.keys()) == too_late(portal, undisturbed)
    assert len(quiet.answers.keys() - failing.answers.keys()) == too_late(undisturbed, portal)
    assert len(failing.applications) == len(portal.told.accepted) == COUNT


def too_late(portal: Portal, other: Portal) -> int:
    """Return how many claims a portal filed for companies that withdrew in time through the other."""
    in_time, elsewhere = (
        {each.told.accepted[application_id].company.index for application_id in each.told.withdrawn}
        for each in (portal, other)
    )
    asks = {each.company.index: each for each in portal.told.accepted.values()}
    return sum(len(claims(SEED, asks[index], TODAY, "")) for index in elsewhere - in_time)


async def test_a_repeated_invoice_that_is_accepted_is_a_surprise(serve: Serve) -> None:
    portal, _ = await play(serve, FakeIntake(refuses_repeats=False))
    assert portal.told.surprises
    assert all("repeats an invoice" in surprise for surprise in portal.told.surprises)


async def test_what_never_comes_to_rest_is_named(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeIntake, "advance", lambda *_: None)
    with pytest.raises(ExceptionGroup) as caught:
        await play(serve, FakeIntake(), seconds=1)
    assert caught.group_contains(StillMovingError, match="is submitted; .* more")


async def test_patience_ends_with_what_was_wrong() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(503, text="busy"))
    async with httpx.AsyncClient(transport=transport) as client:
        caller = Caller(client, "http://intake", patience_seconds=0.1)
        with pytest.raises(NoAnswerError, match="503 busy"):
            await caller.write("POST", "/v1/applications", {}, "key")
    assert caller.repeated > 0


def plans() -> list[tuple[int, list[ClaimPlan]]]:
    asks = [ask(SEED, company, TODAY) for company in companies(SEED, 500)]
    return [(each.amount, claims(SEED, each, TODAY)) for each in asks]


def test_claims_use_parts_all_and_more_than_the_award() -> None:
    used = set()
    for amount, filed in plans():
        net = sum(i.amount - i.tax for plan in filed if not plan.repeats for i in plan.invoices)
        used.add(round(net / amount, 1))
    assert used == {0.0, 0.4, 0.7, 1.0, 1.3}


def test_claims_lie_in_the_past_one_after_the_other() -> None:
    for company in companies(SEED, 200):
        one = ask(SEED, company, TODAY)
        filed = [plan for plan in claims(SEED, one, TODAY) if not plan.repeats]
        dates = [day for plan in filed for day in (plan.starts_on, plan.ends_on)]
        assert all(earlier <= later for earlier, later in pairwise([one.contract.starts_on, *dates, TODAY]))
        assert all(dates[-1] <= one.contract.ends_on for plan in filed)


def test_invoices_are_distinct_but_for_the_repeated() -> None:
    filed = [plan for _, all_plans in plans() for plan in all_plans]
    numbers = [i.number for plan in filed if not plan.repeats for i in plan.invoices]
    assert len(set(numbers)) == len(numbers)
    assert {len(number) for number in numbers} == {20}
    assert 0.02 < sum(plan.repeats for plan in filed) / len(plans()) < 0.15


def test_another_run_claims_on_other_contracts_and_invoices() -> None:
    company = next(each for each in companies(SEED, 50) if claims(SEED, ask(SEED, each, TODAY), TODAY))
    first, second = ask(SEED, company, TODAY, "a"), ask(SEED, company, TODAY, "b")
    assert first.contract.number != second.contract.number
    assert claims(SEED, first, TODAY, "a")[0].invoices != claims(SEED, second, TODAY, "b")[0].invoices
