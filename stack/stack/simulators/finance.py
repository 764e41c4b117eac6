"""The finance system: reads payment instructions, lets the bank act, reports what it did.

A loop reads instructions and writes the bank's decisions to the log; each batch is then reported by a task of
its own after the bank's delay, so that batches overlap as banks do. ``GET /v1/log`` shows what was paid.
"""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from uuid_utils.compat import uuid7

from contracts.events import PaymentInstructed, PaymentStatusRequested
from stack.simulators.bank import Outcome, Proportions, decide
from stack.simulators.bank_log import BankLog
from stack.simulators.broker import Instructions, Report, Reports

_BATCHES_AT_ONCE: Final = 64
_DRAIN_SECONDS: Final = 5.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FinanceSettings:
    """Where the finance system works, what it gets wrong, and how long its bank takes."""

    kafka_bootstrap: str
    seed: int = 1
    log_path: Path | None = None
    delay_seconds: float = 0.05
    proportions: Proportions = field(default_factory=Proportions)


class Finance:
    """The running system: one reader, and a task for each batch that the bank is working on."""

    def __init__(self, settings: FinanceSettings) -> None:
        self.ready = False
        self.log = BankLog(settings.log_path)
        self._settings = settings
        self._instructions = Instructions(settings.kafka_bootstrap)
        self._reports = Reports(settings.kafka_bootstrap)
        self._room = asyncio.Semaphore(_BATCHES_AT_ONCE)
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Pay until ``stop`` is called; then finish what the bank has in hand."""
        await self._instructions.start()
        try:
            async with asyncio.TaskGroup() as batches:
                await self._begin(batches, self.log.unreported())
                self.ready = True
                while not self._stopping.is_set():
                    arrived = await self._instructions.read()
                    await self._begin(batches, await self._decide(arrived))
                    await self._reply([event for event in arrived if isinstance(event, PaymentStatusRequested)])
                self.ready = False
        finally:
            await self._instructions.stop()
            await self._reports.stop()
            self.log.close()

    def stop(self) -> None:
        self._stopping.set()

    async def _begin(self, batches: asyncio.TaskGroup, outcomes: Sequence[Outcome]) -> None:
        if outcomes:
            await self._room.acquire()
            batches.create_task(self._answer(outcomes))

    async def _decide(self, arrived: Sequence[PaymentInstructed | PaymentStatusRequested]) -> list[Outcome]:
        """Let the bank act on what it has not seen; decided means on disk."""
        now = datetime.now(UTC)
        instructed = {
            (event.payment_id, event.attempt): event for event in arrived if isinstance(event, PaymentInstructed)
        }
        outcomes = [
            decide(self._settings.seed, payment, self._settings.proportions, now, uuid7())
            for attempt, payment in instructed.items()
            if not self.log.knows(attempt)
        ]
        if outcomes:
            await self.log.decide(outcomes)
        return [outcome for outcome in outcomes if not outcome.lost]

    async def _reply(self, questions: Sequence[PaymentStatusRequested]) -> None:
        """Say again what the bank did, under the same ``ce_id``: a question moves no money here either."""
        questions = self.log.unanswered(questions)
        if questions:
            outcomes = [self.log.outcomes[asked.payment_id, asked.attempt] for asked in questions]
            await self._reports.send([Report(outcome.report(), outcome.event_id) for outcome in outcomes])
            self.log.answer(questions)

    async def _answer(self, outcomes: Sequence[Outcome]) -> None:
        """Report a batch after the bank's delay, and once more those whose reports come twice."""
        try:
            await self._report([Report(outcome.report(), outcome.event_id) for outcome in outcomes])
            self.log.report(outcomes)
            again = [outcome for outcome in outcomes if outcome.duplicate != "none"]
            if again:
                await self._report([_second_report(outcome) for outcome in again])
                self.log.report(again)
        finally:
            self._room.release()

    async def _report(self, reports: Sequence[Report]) -> None:
        await asyncio.sleep(self._settings.delay_seconds)  # the bank at work
        await self._reports.send(reports)


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
            Route("/health/live", _live),
            Route("/health/ready", _ready),
        ],
        lifespan=lifespan,
    )


def _second_report(outcome: Outcome) -> Report:
    return Report(outcome.report(), outcome.event_id if outcome.duplicate == "same_event" else uuid7())


def _end_process_on_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.critical("the finance system failed", exc_info=error)
        signal.raise_signal(signal.SIGTERM)


async def _log(request: Request) -> Response:
    log: BankLog = request.app.state.finance.log
    items = [
        {
            "payment_id": outcome.payment_id,
            "attempt": outcome.attempt,
            "end_to_end_id": outcome.end_to_end_id,
            "outcome": outcome.outcome,
            "amount": outcome.amount,
            "reason_code": outcome.reason_code,
            "times_reported": log.times_reported.get(outcome.key, 0),
        }
        for outcome in log.outcomes.values()
    ]
    return _json({"items": items})


async def _live(_: Request) -> Response:
    return _json({"status": "ok"})


async def _ready(request: Request) -> Response:
    if request.app.state.finance.ready:
        return _json({"status": "ok"})
    return _json({"status": "not ready", "missing": {"kafka": "not connected yet"}}, 503)


def _json(body: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")
