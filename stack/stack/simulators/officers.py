"""Finance's officers: they release large payments, two persons to each, and decide what is to become of a returned one.

They act on disbursement's own lists and on nothing else: a report that contradicts another one moves nobody here.
What they decide follows from the payment and its attempt, and so does the key of each call: officers who come back
after a crash say the same again, and it counts once.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID, uuid5

import httpx
import msgspec

from contracts.common import Account
from stack.concurrency import first
from stack.simulators.bank import Bank, Draws
from stack.simulators.bank_log import BankLog
from stack.simulators.calls import Caller, OutsiderError, UnexpectedAnswerError, problem_code
from stack.simulators.cases import ACCOUNT_REASONS, AccountCheck, Outcome
from stack.simulators.season import spread
from stack.simulators.views import Payment

PROPOSER: Final = "finance-officer-1"
APPROVER: Final = "finance-officer-2"
MOST_ATTEMPTS: Final = 5
CANCELLED: Final = 0.15
_TIMEOUT_SECONDS: Final = 10.0
_TOKEN_SECONDS: Final = 600.0
_AT_ONCE: Final = 4
_SURPRISES_KEPT: Final = 20
_KEYS: Final = UUID("0b6c64f7-6a0e-5b53-8d1b-0d2f9a6e4c07")  # any fixed namespace

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Desk:
    """Where the officers call. ``tokens`` gives a person's access token of the scope ``finance``, valid for an hour.

    ``cancelled`` is the share of returned payments that they give up.
    """

    url: str
    tokens: Callable[[str], str]
    every_seconds: float = 1.0
    patience_seconds: float = 5.0
    cancelled: float = CANCELLED


@dataclass(frozen=True, slots=True)
class Instruct:
    """Send it again, to another account where one is named."""

    reason: str
    creditor: Account | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Give it up."""

    reason: str


Decision = Instruct | Cancel


@dataclass(slots=True)
class Did:
    """What the officers did since the process started. ``refused`` counts problem codes: somebody was quicker."""

    released: int = 0
    corrected: int = 0
    instructed: int = 0
    cancelled: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    surprises: list[str] = field(default_factory=list)


class _Proposed(msgspec.Struct):
    order_id: UUID


class Officers:
    """Two persons at one desk, with the bank's log beside them."""

    def __init__(self, desk: Desk, log: BankLog, bank: Bank) -> None:
        self.did = Did()
        self._desk = desk
        self._log = log
        self._bank = bank

    async def run(self) -> None:
        """Look and act until cancelled, which may be at any time; a disbursement that is away is called again later."""
        async with calling(self._desk) as persons:
            while True:
                try:
                    await self.look(persons)
                except* UnexpectedAnswerError as errors:
                    self._surprise(str(first(errors)))
                except* OutsiderError as errors:
                    logger.warning("the officers can't work: %s", first(errors))
                await asyncio.sleep(self._desk.every_seconds)

    async def look(self, persons: dict[str, Caller]) -> None:
        """Deal once with all that waits for finance."""
        waiting = [
            payment
            for status in ("held", "returned")
            async for payment in persons[PROPOSER].pages("/v1/payments", Payment, status=status)
        ]

        async def deal(payment: Payment) -> None:
            await self._deal(payment, persons)

        await spread(waiting, deal, _AT_ONCE)

    async def _deal(self, payment: Payment, persons: dict[str, Caller]) -> None:
        match payment.status, payment.hold:
            case "held", "release":
                await self._release(payment, persons)
            case "held", "account_rejected":
                await self._correct(payment, persons[PROPOSER])
            case "returned", _:
                await self._decide(payment, persons[PROPOSER])

    async def _release(self, payment: Payment, persons: dict[str, Caller]) -> None:
        """The first person proposes, the second approves."""
        order = {"kind": "payment.release", "payment_id": payment.payment_id, "reason": "核对无误"}
        key = _key(payment, "release")
        proposed = await self._write(persons[PROPOSER], "/v1/orders", order, key)
        if proposed is None:
            return
        order_id = msgspec.json.decode(proposed.content, type=_Proposed).order_id
        if await self._write(persons[APPROVER], f"/v1/orders/{order_id}/approval", {}, f"{key} approval"):
            self.did.released += 1

    async def _correct(self, payment: Payment, person: Caller) -> None:
        """The bank does not know the account: the company names another one."""
        assert payment.verification_id is not None, "an account was asked about"
        check = self._log.cases.get((payment.verification_id, 0))
        if not isinstance(check, AccountCheck):
            self._surprise(f"payment {payment.payment_id} waits for a verification that finance never heard of")
            return
        decision = Instruct("账户核验未通过，企业已更正", self._bank.another(check.creditor))
        if await self._instruct(payment, decision, person, _key(payment, f"account {payment.verification_id}")):
            self.did.corrected += 1

    async def _decide(self, payment: Payment, person: Caller) -> None:
        outcome = self._log.cases.get((payment.payment_id, payment.attempt))
        if not isinstance(outcome, Outcome):
            self._surprise(f"payment {payment.payment_id} is returned, and finance never saw attempt {payment.attempt}")
            return
        match decide(outcome, self._bank, self._desk.cancelled):
            case Cancel() as decision:
                path = f"/v1/payments/{payment.payment_id}/cancellation"
                if await self._write(person, path, {"reason": decision.reason}, _key(payment, "return")):
                    self.did.cancelled += 1
            case Instruct() as decision:
                if await self._instruct(payment, decision, person, _key(payment, "return")):
                    self.did.instructed += 1

    async def _instruct(self, payment: Payment, decision: Instruct, person: Caller, key: str) -> bool:
        path = f"/v1/payments/{payment.payment_id}/instruction"
        body = {"reason": decision.reason, "creditor": decision.creditor}
        return await self._write(person, path, body, key) is not None

    async def _write(self, person: Caller, path: str, body: Any, key: str) -> httpx.Response | None:
        """Return the answer that took it; None when it was refused."""
        answer = await person.write("POST", path, body, str(uuid5(_KEYS, key)))
        if answer.is_success:
            return answer
        self.did.refused[problem_code(answer)] += 1
        if answer.status_code != httpx.codes.CONFLICT:
            self._surprise(f"POST {path} answers {answer.status_code} {answer.text[:200]}")
        return None

    def _surprise(self, words: str) -> None:
        logger.warning("the officers are surprised: %s", words)
        if words not in self.did.surprises and len(self.did.surprises) < _SURPRISES_KEPT:
            self.did.surprises.append(words)


def decide(outcome: Outcome, bank: Bank, cancelled: float) -> Decision:
    """Return what becomes of a payment that disbursement shows as returned, given what the bank did with it.

    Disbursement may show so because finance said it and was wrong. Then the bank is to say once more that it paid.
    """
    if outcome.outcome != "returned":
        return Instruct("银行记录显示已支付，请再次报告")
    if outcome.attempt >= MOST_ATTEMPTS or _gives_up(outcome, bank.seed, cancelled):
        return Cancel("企业未能提供可用账户")
    if outcome.reason_code in ACCOUNT_REASONS:
        assert outcome.creditor is not None, "it was paid to somebody"
        return Instruct("企业已更正账户", bank.another(outcome.creditor))
    return Instruct("原因不明，再次支付")


@asynccontextmanager
async def calling(desk: Desk) -> AsyncIterator[dict[str, Caller]]:
    """Open a caller for each person."""
    async with _client(desk, PROPOSER) as first, _client(desk, APPROVER) as second:
        callers = {PROPOSER: first, APPROVER: second}
        yield {person: Caller(client, desk.url, desk.patience_seconds) for person, client in callers.items()}


class Bearer(httpx.Auth):
    """A person's access token on every call, fetched anew long before it expires."""

    def __init__(self, tokens: Callable[[str], str], person: str) -> None:
        self._tokens = tokens
        self._person = person
        self._token, self._fetched_at = "", float("-inf")

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        now = time.monotonic()
        if now - self._fetched_at > _TOKEN_SECONDS:
            self._token, self._fetched_at = self._tokens(self._person), now
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


def portal_of(tokens: Callable[[str, str], str]) -> Bearer:
    """Return what the portal sends along: a token of its own."""
    return Bearer(lambda person: tokens(person, "portal"), "portal")


def _client(desk: Desk, person: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(auth=Bearer(desk.tokens, person), timeout=_TIMEOUT_SECONDS, trust_env=False)


def _gives_up(outcome: Outcome, seed: int, cancelled: float) -> bool:
    return Draws(seed, f"{outcome.payment_id} {outcome.attempt}")("cancelled") < cancelled


def _key(payment: Payment, act: str) -> str:
    return f"{payment.payment_id} {payment.attempt} {act}"
