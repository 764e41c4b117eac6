"""The books as a child would keep them: one step at a time, plain numbers, no code shared with the service."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class ModelAward:
    applicant: str
    awarded: int
    rest: int
    obligated: int = 0
    disbursed: int = 0
    status: str = "active"

    @property
    def running(self) -> bool:
        return self.status in ("active", "exhausted")


@dataclass
class ModelPayment:
    application: Any
    amount: int
    status: str = "instructed"
    attempt: int = 1
    references: set[str] = field(default_factory=set)


@dataclass
class ModelRecovery:
    application: Any
    owed: int
    status: str = "demanded"
    references: set[str] = field(default_factory=set)


@dataclass
class Model:
    """One pool, one scheme with an envelope and a cap per company, a strict waitlist. Amounts in fen.

    Each step answers whether it was done; what is refused changes nothing.
    """

    pool: int
    envelope: int
    cap: int
    rate_percent: int
    committed: int = 0
    obligated: int = 0
    disbursed: int = 0
    granted: dict[str, int] = field(default_factory=dict)
    awards: dict[Any, ModelAward] = field(default_factory=dict)
    line: list[tuple[int, Any, str, int]] = field(default_factory=list)
    withdrawn: set[Any] = field(default_factory=set)
    refused: set[Any] = field(default_factory=set)
    payments: dict[Any, ModelPayment] = field(default_factory=dict)
    claims: set[Any] = field(default_factory=set)
    recoveries: dict[Any, ModelRecovery] = field(default_factory=dict)

    @property
    def available(self) -> int:
        return self.pool - self.committed - self.obligated - self.disbursed

    @property
    def envelope_left(self) -> int:
        return self.envelope - self.committed - self.obligated - self.disbursed

    # --- awards ---------------------------------------------------------------------------------------------------

    def approve(self, application: Any, company: str, amount: int, minute: int) -> None:
        waiting = {entry[1] for entry in self.line}
        if application in self.awards or application in waiting or application in self.refused | self.withdrawn:
            return
        if self.line or not self._award(application, company, amount):
            self.line.append((minute, application, company, amount))
            self.line.sort(key=lambda entry: (entry[0], entry[1]))

    def _award(self, application: Any, company: str, amount: int) -> bool:
        cap_left = self.cap - self.granted.get(company, 0)
        wanted = min(amount, cap_left)
        if wanted > min(self.envelope_left, self.available):
            return False
        if wanted == 0:
            self.refused.add(application)
            return True
        self.awards[application] = ModelAward(company, wanted, wanted)
        self.granted[company] = self.granted.get(company, 0) + wanted
        self.committed += wanted
        return True

    def _serve(self) -> None:
        while self.line and self._award(*self.line[0][1:]):
            self.line.pop(0)

    def withdraw(self, application: Any) -> None:
        waited = any(entry[1] == application for entry in self.line)
        self.line = [entry for entry in self.line if entry[1] != application]
        self.withdrawn.add(application)
        award = self.awards.get(application)
        if waited:
            self._serve()
        if award is not None and award.status == "active":
            self.end(application, "revoked")

    def end(self, application: Any, how: str) -> bool:
        award = self.awards[application]
        if not award.running:
            return False
        award.status = how
        self._release(award)
        self._serve()
        return True

    def _release(self, award: ModelAward) -> None:
        self.granted[award.applicant] -= award.rest
        self.committed -= award.rest
        award.rest = 0

    # --- payments ---------------------------------------------------------------------------------------------------

    def claim(self, claim: Any, application: Any, expense: int) -> None:
        award = self.awards[application]
        if claim in self.claims:
            return
        self.claims.add(claim)
        pays = min(expense * self.rate_percent // 100, award.rest)
        if pays == 0 or not award.running:
            return
        award.rest -= pays
        award.obligated += pays
        award.status = "exhausted" if award.rest == 0 else award.status
        self.committed -= pays
        self.obligated += pays
        self.payments[claim] = ModelPayment(application, pays)

    def report(self, claim: Any, outcome: str, attempt: int, reference: str) -> None:
        payment = self.payments[claim]
        if attempt != payment.attempt or payment.status != "instructed" or outcome + reference in payment.references:
            return
        payment.references.add(outcome + reference)
        payment.status = outcome
        if outcome == "settled":
            award = self.awards[payment.application]
            award.obligated -= payment.amount
            award.disbursed += payment.amount
            self.obligated -= payment.amount
            self.disbursed += payment.amount

    def instruct_again(self, claim: Any) -> bool:
        payment = self.payments[claim]
        if payment.status != "returned":
            return False
        payment.status, payment.attempt = "instructed", payment.attempt + 1
        return True

    def cancel(self, claim: Any) -> bool:
        payment = self.payments[claim]
        if payment.status != "returned":
            return False
        payment.status = "cancelled"
        award = self.awards[payment.application]
        award.obligated -= payment.amount
        award.rest += payment.amount
        self.obligated -= payment.amount
        self.committed += payment.amount
        if award.running:
            award.status = "active"
        else:
            self._release(award)
        self._serve()
        return True

    # --- recoveries -------------------------------------------------------------------------------------------------

    def owed(self, application: Any) -> int:
        return sum(each.owed for each in self.recoveries.values() if each.application == application)

    def demand(self, recovery: Any, application: Any, amount: int) -> bool:
        if amount > self.awards[application].disbursed - self.owed(application):
            return False
        self.recoveries[recovery] = ModelRecovery(application, amount)
        return True

    def receive(self, recovery: Any, amount: int, reference: str) -> None:
        found = self.recoveries[recovery]
        if found.status != "demanded" or amount > found.owed or reference in found.references:
            return
        found.references.add(reference)
        found.owed -= amount
        award = self.awards[found.application]
        award.disbursed -= amount
        self.disbursed -= amount
        self.granted[award.applicant] -= amount
        if found.owed == 0:
            found.status = "received"
        self._serve()

    def write_off(self, recovery: Any) -> bool:
        found = self.recoveries[recovery]
        if found.status != "demanded":
            return False
        found.owed, found.status = 0, "written_off"
        return True

    # --- sums ---------------------------------------------------------------------------------------------------------

    def set_pool(self, amount: int) -> bool:
        if amount < self.pool - self.available:
            return False
        self.pool = amount
        self._serve()
        return True

    def set_envelope(self, amount: int) -> bool:
        if amount < self.envelope - self.envelope_left:
            return False
        self.envelope = amount
        self._serve()
        return True
