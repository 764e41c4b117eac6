"""You are at the checks of payments: instructed once, made once by the bank, and nothing besides."""

from collections import Counter
from collections.abc import Iterator

from contracts.money import yuan
from stack.checks.result import Result, result
from stack.simulators.auditor import Evidence
from stack.simulators.portal import Told
from stack.simulators.views import BankEntry, Payment


def one_instruction_per_payable_claim(evidence: Evidence, _: Told) -> Result:
    """The topic holds exactly one first payment.instructed for each payable claim, and none for any other."""
    instructed = evidence.instructed()
    first = [event for event in instructed if event.attempt == 1]
    per_claim = Counter(event.claim_id for event in first)
    payable = {
        claim.claim_id
        for state in evidence.applications.values()
        for claim in state.claims
        if claim.status in {"payable", "paid"}
    }

    def differences() -> Iterator[str]:
        yield from (f"claim {each} has {times} instructions" for each, times in per_claim.items() if times > 1)
        yield from (f"claim {each} is payable and has no instruction" for each in payable - per_claim.keys())
        yield from (f"claim {each} is instructed and not payable" for each in per_claim.keys() - payable)
        for name, times in Counter(event.end_to_end_id for event in first).items():
            if times > 1:
                yield f"end_to_end_id {name} stands for {times} payments"

    sent_again = len(evidence.instructions) - len({record.event_id for record in evidence.instructions})
    seen = f"{len(payable)} payable claims, {len(first)} instructions, {sent_again} sent again"
    return result("one payment.instructed per payable claim", seen, differences())


def bank_paid_what_the_ledger_says(evidence: Evidence, _: Told) -> Result:
    """The bank settled each payment at most once, exactly those that disbursement shows, to the fen."""
    settled = Counter(entry.payment_id for entry in evidence.bank if entry.outcome == "settled")
    latest = {entry.payment_id: entry for entry in sorted(evidence.bank, key=lambda entry: entry.attempt)}
    known = {payment.payment_id for payment in evidence.payments}

    def differences() -> Iterator[str]:
        yield from (f"payment {each} was paid {times} times" for each, times in settled.items() if times > 1)
        for payment in evidence.payments:
            yield from _at_the_bank(payment, latest.get(payment.payment_id))
        yield from (f"the bank knows payment {each}, disbursement does not" for each in latest.keys() - known)

    reports = sum(entry.times_reported for entry in evidence.bank)
    seen = f"{len(evidence.payments)} payments, {reports} bank reports"
    return result("each payment happened once", seen, differences())


def _at_the_bank(payment: Payment, entry: BankEntry | None) -> Iterator[str]:
    name = f"payment {payment.payment_id}"
    if entry is None:
        yield f"{name} is {payment.status} and unknown to the bank"
    elif entry.outcome != payment.status:
        yield f"{name} is {payment.status}, at the bank {entry.outcome}"
    elif (entry.amount, entry.end_to_end_id) != (payment.money.amount, payment.end_to_end_id):
        there = f"{yuan(entry.amount)} as {entry.end_to_end_id}"
        yield f"{name} is {yuan(payment.money.amount)} as {payment.end_to_end_id}, at the bank {there}"
    elif entry.times_reported == 0:
        yield f"{name} was never reported by the bank"
