"""You are at the checks of payments: instructed once an attempt, paid once by the bank, every return decided."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from uuid import UUID

from contracts.events import PaymentInstructed
from contracts.money import yuan
from stack.checks.result import Result, result
from stack.simulators.auditor import Evidence
from stack.simulators.portal import Told
from stack.simulators.season import is_over
from stack.simulators.views import BankEntry, ClaimInApplication, Payment


def one_instruction_per_payable_claim(evidence: Evidence, _: Told) -> Result:
    """The topic holds one payment.instructed for each attempt of a payable claim's payment, and none for any other."""
    instructed = evidence.instructed()
    first = [event for event in instructed if event.attempt == 1]
    per_claim = Counter(event.claim_id for event in first)
    payable = _payable(evidence)

    def differences() -> Iterator[str]:
        yield from (f"claim {each} has {times} instructions" for each, times in per_claim.items() if times > 1)
        yield from (f"claim {each} is payable and has no instruction" for each in payable - per_claim.keys())
        yield from (f"claim {each} is instructed and not payable" for each in per_claim.keys() - payable)
        for name, times in Counter(event.end_to_end_id for event in first).items():
            if times > 1:
                yield f"end_to_end_id {name} stands for {times} payments"
        yield from _attempts(evidence.payments, instructed)

    sent_again = len(evidence.instructions) - len({record.event_id for record in evidence.instructions})
    seen = f"{len(payable)} payable claims, {len(instructed)} instructions, {sent_again} sent again"
    return result("one payment.instructed per payable claim and attempt", seen, differences())


def bank_paid_what_the_ledger_says(evidence: Evidence, _: Told) -> Result:
    """The bank settled exactly the payments that disbursement shows as settled, each once, to the fen."""
    entries: defaultdict[UUID, list[BankEntry]] = defaultdict(list)
    for entry in sorted(evidence.bank, key=lambda entry: entry.attempt):
        entries[entry.payment_id].append(entry)
    known = {payment.payment_id for payment in evidence.payments}

    def differences() -> Iterator[str]:
        for payment_id, attempts in entries.items():
            if (times := sum(entry.outcome == "settled" for entry in attempts)) > 1:
                yield f"payment {payment_id} was paid {times} times"
        for payment in evidence.payments:
            yield from _at_the_bank(payment, entries.get(payment.payment_id, []))
        yield from (f"the bank knows payment {each}, disbursement does not" for each in entries.keys() - known)

    reports = sum(entry.times_reported for entry in evidence.bank)
    seen = f"{len(evidence.payments)} payments, {reports} bank reports"
    return result("each payment happened once", seen, differences())


def money_moved_once(evidence: Evidence, _: Told) -> Result:
    """Each payment's money was obligated once, and then once disbursed or once given back to its award."""
    moves: defaultdict[UUID, list[tuple[str, str, int]]] = defaultdict(list)
    for transfer in (each for transfers in evidence.transfers.values() for each in transfers):
        if payment_id := transfer.get("payment_id"):
            move = transfer["from"], transfer["to"], transfer["money"]["amount"]
            moves[UUID(payment_id)].append(move)
    known = {payment.payment_id for payment in evidence.payments}

    def differences() -> Iterator[str]:
        for payment in evidence.payments:
            yield from _moved(payment, moves[payment.payment_id])
        yield from (f"money moved for payment {each}, which is not listed" for each in moves.keys() - known)

    seen = f"{sum(map(len, moves.values()))} transfers of {len(evidence.payments)} payments"
    return result("each payment's money moved once", seen, differences())


def every_return_is_decided(evidence: Evidence, _: Told) -> Result:
    """No payment waits for finance: what came back was instructed again or given up, what was held was released."""
    told = Counter(event.payment_id for event in evidence.cancelled())
    given_up = {payment.payment_id for payment in evidence.payments if payment.status == "cancelled"}
    claims = {claim.claim_id: claim for state in evidence.applications.values() for claim in state.claims}

    def differences() -> Iterator[str]:
        for payment in evidence.payments:
            if payment.status in {"returned", "held"}:
                waiting = payment.hold or "sent back"
                yield f"payment {payment.payment_id} is {payment.status} ({waiting}), and nobody decided"
            if payment.status == "cancelled" and not _is_rejected(claims.get(payment.claim_id)):
                yield f"payment {payment.payment_id} was given up, its claim {payment.claim_id} is not rejected"
        for each in given_up:
            if told[each] != 1:
                yield f"payment {each} was given up, and finance was told so {told[each]} times"
        yield from (f"finance was told that {each} is given up, and it is not" for each in told.keys() - given_up)

    returned = {entry.payment_id for entry in evidence.bank if entry.outcome == "returned"}
    officers = evidence.officers
    did = f"{officers.released} released, {officers.corrected} accounts corrected"
    seen = f"{len(returned)} returned by the bank, {len(given_up)} given up, {did}"
    return result("every returned or held payment was decided", seen, differences())


def _is_rejected(claim: ClaimInApplication | None) -> bool:
    return claim is not None and claim.status == "rejected"


def _payable(evidence: Evidence) -> set[UUID]:
    """Return the claims that are or were to be paid by the bank: not those that were netted altogether."""
    netted = {payment.claim_id for payment in evidence.payments if payment.money.amount == 0}
    claims = (claim for state in evidence.applications.values() for claim in state.claims)
    return {claim.claim_id for claim in claims if claim.status == "payable" or is_over(claim)} - netted


def _attempts(payments: Sequence[Payment], instructed: Sequence[PaymentInstructed]) -> Iterator[str]:
    by_payment: defaultdict[UUID, list[PaymentInstructed]] = defaultdict(list)
    for event in instructed:
        by_payment[event.payment_id].append(event)
    for payment in payments:
        events = by_payment[payment.payment_id]
        attempts = sorted(event.attempt for event in events)
        if payment.money.amount and attempts != list(range(1, payment.attempt + 1)):
            yield f"payment {payment.payment_id} is at attempt {payment.attempt}, instructed were {attempts}"
        for event in events:
            if (event.money, event.end_to_end_id) != (payment.money, payment.end_to_end_id):
                other = f"{yuan(event.money.amount)} as {event.end_to_end_id}"
                yield f"payment {payment.payment_id} was instructed with {other} at attempt {event.attempt}"


def _at_the_bank(payment: Payment, entries: Sequence[BankEntry]) -> Iterator[str]:
    name = f"payment {payment.payment_id}"
    attempts = [entry.attempt for entry in entries]
    if not entries and payment.money.amount:
        yield f"{name} is {payment.status} and unknown to the bank"
    elif payment.money.amount and attempts != list(range(1, payment.attempt + 1)):
        yield f"{name} is at attempt {payment.attempt}, the bank saw {attempts}"
    if entries:
        yield from _as_reported(name, payment, entries)


def _as_reported(name: str, payment: Payment, entries: Sequence[BankEntry]) -> Iterator[str]:
    """A payment is what its last attempt came to, and nothing is decided on a report that was never made."""
    last = entries[-1]
    wanted = {"settled": {"settled", "repeated"}, "returned": {"returned"}, "cancelled": {"returned"}}
    if last.outcome not in wanted.get(payment.status, ()):
        yield f"{name} is {payment.status}, at the bank {last.outcome}"
    for entry in entries:
        if (entry.amount, entry.end_to_end_id) != (payment.money.amount, payment.end_to_end_id):
            there = f"{yuan(entry.amount)} as {entry.end_to_end_id}"
            yield f"{name} is {yuan(payment.money.amount)} as {payment.end_to_end_id}, at the bank {there}"
        if entry.times_reported == 0 and (entry is last or entry.outcome == "returned"):
            yield f"{name} was never reported by the bank"


def _moved(payment: Payment, moves: Sequence[tuple[str, str, int]]) -> Iterator[str]:
    """What is netted is a second move of the same payment, from obligated to disbursed."""
    held = [amount for source, target, amount in moves if (source, target) == ("committed", "obligated")]
    left: Counter[str] = Counter()
    for source, target, amount in moves:
        left[target] += amount if source == "obligated" else 0
    ends = {"settled": "disbursed", "cancelled": "committed"}
    wanted = Counter({ends[payment.status]: sum(held)} if payment.status in ends else {})
    paid = ("obligated", "disbursed", payment.money.amount)
    twice = payment.status == "settled" and payment.money.amount and moves.count(paid) != 1
    if len(held) != 1 or +left != wanted or twice:
        yield f"payment {payment.payment_id} of {yuan(payment.money.amount)} is {payment.status}, moved were {moves}"
