"""The finance system: reads what the programme instructs, asks and demands, lets the bank act, says what it did.

One loop reads, lets the bank decide and writes that down; another says it, each word at its time (``post.py``). What no
bank can decide is left to finance's officers, who call disbursement (``officers.py``). ``GET /v1/log`` shows what was
paid and what was said about it, ``GET /v1/officers`` what the officers did.
"""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts.events import (
    AccountVerificationRequested,
    PaymentInstructed,
    PaymentStatusRequested,
    RecoveryClosed,
    RecoveryDemanded,
)
from stack.simulators.bank import Bank
from stack.simulators.bank_log import BankLog
from stack.simulators.broker import Heard, Instructions, Reports
from stack.simulators.cases import Case, Key, Outcome
from stack.simulators.officers import Desk, Officers
from stack.simulators.post import Post
from stack.simulators.words import TRUE

_DRAIN_SECONDS: Final = 5.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FinanceSettings:
    """Where the finance system works, what its bank is like, and where its officers call; nowhere without a desk."""

    kafka_bootstrap: str
    bank: Bank
    log_path: Path | None = None
    desk: Desk | None = None


class Finance:
    """The running system: a reader, the post, and the officers."""

    def __init__(self, settings: FinanceSettings) -> None:
        self.ready = False
        self.log = BankLog(settings.log_path)
        self._bank = settings.bank
        self._instructions = Instructions(settings.kafka_bootstrap)
        self._reports = Reports(settings.kafka_bootstrap)
        self._post = Post(self._reports, self.log)
        self.officers = Officers(settings.desk, self.log, self._bank) if settings.desk else None
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Pay until ``stop`` is called; what was not said by then is said after the next start."""
        await self._instructions.start()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._post.run())
                officers = group.create_task(self.officers.run()) if self.officers else None
                for case in list(self.log.cases.values()):
                    self._post.post(case)
                self.ready = True
                while not self._stopping.is_set():
                    await self._take(await self._instructions.read())
                self.ready = False
                if officers:
                    officers.cancel()  # they may be waiting for a disbursement that has stopped
        finally:
            await self._instructions.stop()
            await self._reports.stop()
            self.log.close()

    def stop(self) -> None:
        self._stopping.set()
        self._post.stop()

    async def _take(self, arrived: Sequence[Heard]) -> None:
        """Let the bank act on what it has not seen, then answer. What it did is on disk before anybody is told."""
        now, fresh = datetime.now(UTC), list[Case]()
        for event in arrived:
            decided = self._decide(event, now)
            self.log.add(decided)
            fresh += decided
        if fresh:
            await self.log.keep(fresh)
        for case in fresh:
            self._post.post(case)
        for event in arrived:
            self._answer(event)

    def _decide(self, event: Heard, now: datetime) -> Sequence[Case]:
        match event:
            case PaymentInstructed() if not self._knows(event.payment_id, event.attempt):
                return [self._bank.pay(event, self.log.attempts(event.payment_id), now)]
            case AccountVerificationRequested() if not self._knows(event.verification_id, 0):
                return [self._bank.check(event, now)]
            case RecoveryDemanded() if not self._knows(event.recovery_id, 1):
                return self._bank.receive(event, now)
            case RecoveryClosed():
                self.log.close_recovery(event.recovery_id)
        return []

    def _answer(self, event: Heard) -> None:
        """Say again what is known, under the same ``ce_id``: a question moves no money here either."""
        match event:
            case PaymentStatusRequested():
                self._answer_about((event.payment_id, event.attempt), event.question)
            case AccountVerificationRequested() if event.question > 1:
                self._answer_about((event.verification_id, 0), event.question)

    def _answer_about(self, key: Key, question: int) -> None:
        """What is asked before it is known is asked again later."""
        if case := self.log.cases.get(key):
            self._post.answer(case, question)

    def _knows(self, subject: UUID, number: int) -> bool:
        return (subject, number) in self.log.cases


def create_app(settings: FinanceSettings) -> Starlette:
    """Return the ASGI application; the finance system runs for as long as it is served."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.finance = finance = Finance(settings)
        task = asyncio.create_task(finance.run())
        task.add_done_callback(_end_process_on_failure)
        yield
        finance.stop()
        await asyncio.wait_for(task, _DRAIN_SECONDS)

    return Starlette(
        routes=[
            Route("/v1/log", _log),
            Route("/v1/officers", _officers),
            Route("/health/live", _live),
            Route("/health/ready", _ready),
        ],
        lifespan=lifespan,
    )


def _end_process_on_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.critical("the finance system failed", exc_info=error)
        signal.raise_signal(signal.SIGTERM)


async def _log(request: Request) -> Response:
    log: BankLog = request.app.state.finance.log
    return _json({"items": [_item(outcome, log) for outcome in log.outcomes()]})


def _item(outcome: Outcome, log: BankLog) -> dict[str, Any]:
    said = log.said.get(outcome.key, ())
    return {
        "payment_id": outcome.payment_id,
        "attempt": outcome.attempt,
        "end_to_end_id": outcome.end_to_end_id,
        "outcome": outcome.outcome,
        "amount": outcome.amount,
        "reason_code": outcome.reason_code,
        "times_reported": sum(each.says in TRUE for each in said),
        "reports": [{"event_id": each.event_id, "says": each.says} for each in said],
        "unsaid": len(log.unsaid(outcome)),
    }


async def _officers(request: Request) -> Response:
    officers: Officers | None = request.app.state.finance.officers
    return _json(officers.did if officers else {})


async def _live(_: Request) -> Response:
    return _json({"status": "ok"})


async def _ready(request: Request) -> Response:
    if request.app.state.finance.ready:
        return _json({"status": "ok"})
    return _json({"status": "not ready", "missing": {"kafka": "not connected yet"}}, 503)


def _json(body: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")
