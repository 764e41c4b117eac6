"""You are at the checks of the life cycles: whatever was accepted ends, or waits, somewhere visible."""

from collections import Counter
from collections.abc import Iterator
from typing import Final
from uuid import UUID

from stack.checks.result import Result, result
from stack.simulators.auditor import Evidence
from stack.simulators.portal import Told

FINAL: Final = frozenset({"awarded", "rejected", "withdrawn", "lapsed"})
WAITING: Final = frozenset({"waitlisted", "in_review", "public_notice", "clarifying"})


def every_application_is_somewhere(evidence: Evidence, told: Told) -> Result:
    """Every accepted application is in intake's list, in a final or a named waiting state."""

    def differences() -> Iterator[str]:
        for application_id in told.accepted:
            state = evidence.applications.get(application_id)
            if state is None:
                yield f"{application_id} was accepted and is not to be found"
            elif state.status not in FINAL | WAITING:
                yield f"{application_id} is {state.status}"
            elif application_id in told.withdrawn and state.status != "withdrawn":
                yield f"{application_id} was withdrawn and is {state.status}"

    seen = f"{len(told.accepted)} applications, {len(told.withdrawn)} withdrawn"
    return result("every application ends or waits by name", seen, differences())


def every_claim_is_somewhere(evidence: Evidence, told: Told) -> Result:
    """Every accepted claim is in intake's view once, and paid, rejected or withdrawn."""
    claims = [claim for state in evidence.applications.values() for claim in state.claims]
    times: Counter[UUID] = Counter(claim.claim_id for claim in claims)

    def differences() -> Iterator[str]:
        for claim in claims:
            if claim.status not in {"paid", "rejected", "withdrawn"}:
                yield f"claim {claim.claim_id} is {claim.status}, its payment {claim.payment}"
        for claim_id in told.claims:
            if times[claim_id] != 1:
                yield f"claim {claim_id} was accepted and is shown {times[claim_id]} times"

    return result("every claim ends", f"{len(told.claims)} claims", differences())


def nothing_unexpected_was_answered(evidence: Evidence, told: Told) -> Result:
    """Repeated invoices were refused as such; no answer to the portal or to finance was outside the contract."""
    codes = ", ".join(f"{count} x {code}" for code, count in sorted(told.claims_refused.items()))
    surprises = [*told.surprises, *evidence.officers.surprises]
    return result("refusals are the expected ones", f"claims refused: {codes or 'none'}", surprises)
