"""You are where the system is held to its promises: small pure checks on what an auditor read and the portal was told.

The checks share no code with the services; they know only what the contract promises. Each returns a result with
a sentence of what it saw and every difference it found.
"""

from stack.checks.books import awards_add_up, ledger_replays, metrics_equal_ledger, pool_identity
from stack.checks.lives import (
    every_application_is_somewhere,
    every_claim_is_somewhere,
    nothing_unexpected_was_answered,
)
from stack.checks.payments import (
    bank_paid_what_the_ledger_says,
    every_return_is_decided,
    money_moved_once,
    one_instruction_per_payable_claim,
)
from stack.checks.reports import wrong_reports_are_listed
from stack.checks.result import Check, Result
from stack.checks.views import intake_equals_owners
from stack.simulators.auditor import Evidence
from stack.simulators.portal import Told

CHECKS: tuple[Check, ...] = (
    pool_identity,
    ledger_replays,
    awards_add_up,
    every_application_is_somewhere,
    every_claim_is_somewhere,
    nothing_unexpected_was_answered,
    one_instruction_per_payable_claim,
    bank_paid_what_the_ledger_says,
    money_moved_once,
    every_return_is_decided,
    wrong_reports_are_listed,
    metrics_equal_ledger,
    intake_equals_owners,
)


def verdict(evidence: Evidence, told: Told) -> list[Result]:
    """Run every check."""
    return [check(evidence, told) for check in CHECKS]


__all__ = ["CHECKS", "Check", "Result", "verdict"]
