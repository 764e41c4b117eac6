"""One application with the facts that it is decided on."""

from typing import Any

import msgspec

from eligibility.records import Assessment
from eligibility.rules import Decision, Rulebook
from eligibility.store import contracts


class Trial(msgspec.Struct):
    """One application with the facts it is decided on, and what the rules said last.

    ``missed_call``: its call was ranked before it came here, so that no panel will ever place it.
    """

    assessment: Assessment
    rulebook: Rulebook
    facts: dict[str, dict[str, Any]]
    decision: Decision
    missed_call: bool = False

    @property
    def contract(self) -> contracts.Key | None:
        submitted = self.assessment.submitted
        contract = submitted.request.contract
        return None if contract is None else contracts.key_of(submitted.scheme, contract)
