"""A database that is destroyed in the middle of a season comes back, and nobody can tell afterwards."""

from tests.restore.drill import drill

COMPANIES, SETTLED = 40, 10


async def test_disbursement_loses_its_database_and_nothing_else() -> None:
    outcome = await drill(COMPANIES, 1, SETTLED, 0.0, lambda _: None)

    assert outcome.report is not None
    assert [result for result in outcome.report.results if not result.passed] == []
    assert len(outcome.report.results) == 13
    assert (outcome.lost, outcome.paid_twice) == ([], 0)
    assert outcome.said == {"reconcile": 0, "audit verify": 0}
    assert outcome.published_before >= 2 * SETTLED
    assert outcome.resent > 0
    assert outcome.restored.until.startswith("until disbursement was dropped")
