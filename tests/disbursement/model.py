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
    revoked: bool = False


@dataclass
class Model:
    """One pool, one scheme with an envelope and a cap per company, a strict waitlist. Amounts in fen."""

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
    payments: dict[Any, tuple[Any, int, str]] = field(default_factory=dict)
    claims: set[Any] = field(default_factory=set)

    @property
    def available(self) -> int:
        return self.pool - self.committed - self.obligated - self.disbursed

    @property
    def envelope_left(self) -> int:
        return self.envelope - self.committed - self.obligated - self.disbursed

    def approve(self, application: Any, company: str, amount: int, minute: int) -> None:
        waiting = {entry[1] for entry in self.line}
        if application in self.awards or application in waiting or application in self.refused:
            return
        if application in self.withdrawn:
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

    def withdraw(self, application: Any) -> None:
        waited = any(entry[1] == application for entry in self.line)
        self.line = [entry for entry in self.line if entry[1] != application]
        self.withdrawn.add(application)
        if waited:
            self._serve()
        award = self.awards.get(application)
        if award is None or award.revoked or award.rest == 0:
            return
        award.revoked = True
        self.granted[award.applicant] -= award.rest
        self.committed -= award.rest
        award.rest = 0
        self._serve()

    def _serve(self) -> None:
        while self.line and self._award(*self.line[0][1:]):
            self.line.pop(0)

    def claim(self, claim: Any, application: Any, expense: int) -> None:
        award = self.awards[application]
        if claim in self.claims:
            return
        self.claims.add(claim)
        pays = min(expense * self.rate_percent // 100, award.rest)
        if pays == 0 or award.revoked:
            return
        award.rest -= pays
        award.obligated += pays
        self.committed -= pays
        self.obligated += pays
        self.payments[claim] = (application, pays, "instructed")

    def settle(self, claim: Any) -> None:
        application, amount, status = self.payments[claim]
        if status == "instructed":
            self.payments[claim] = (application, amount, "settled")
            self.awards[application].obligated -= amount
            self.awards[application].disbursed += amount
            self.obligated -= amount
            self.disbursed += amount

    def send_back(self, claim: Any) -> None:
        application, amount, status = self.payments[claim]
        if status == "instructed":
            self.payments[claim] = (application, amount, "returned")
