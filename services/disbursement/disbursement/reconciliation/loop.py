"""Reconciles all the time: looks, looks again where something differs, keeps what is so, holds the pools."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from disbursement.reconciliation import ledger, outbox, queries, results, rules, turns
from disbursement.reconciliation.ledger import Checkpoints
from disbursement.reconciliation.results import Key
from disbursement.reconciliation.rules import CHECKS, SUMS, Result
from kit import outbox as announcing
from kit.backoff import Backoff, wait
from kit.database import Database, describe, is_transient
from kit.deadlines import StoppingError
from kit.errors import TransientError
from kit.logging import get_logger
from kit.published import Position
from kit.topic_reader import Place

log = get_logger(__name__)

_LOOK_ROUND_SECONDS: Final = 5.0
_LOOK, _ADD_UP = "look", "sums"


class Look(msgspec.Struct):
    """What was seen in one moment."""

    at: datetime
    results: list[Result]
    checkpoints: Checkpoints
    positions: dict[Place, Position]

    def differing(self) -> set[Key]:
        return {(each.check, each.pool) for each in self.results if each.difference}


class Reconciler:
    """One per process that works; the processes take turns. ``committed`` is called when there may be news to relay.

    The sums over whole tables are made every ``sums_every_seconds``, and with every look while any difference stands,
    so that it is seen soon when it is mended.
    """

    def __init__(
        self,
        database: Database,
        bootstrap: str,
        *,
        every_seconds: float,
        sums_every_seconds: float,
        committed: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._bootstrap = bootstrap
        self._every_seconds = every_seconds
        self._sums_every_seconds = sums_every_seconds
        self._committed = committed
        self._stop: asyncio.Event | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Reconcile until ``stop``. A bug here must not stop payments: it is logged, and the results grow old."""
        backoff = Backoff()
        self._stop = stop
        while not stop.is_set():
            try:
                await self._take_turn()
            except StoppingError:
                return
            except Exception as error:
                if is_transient(error):
                    log.warning("reconciliation_waits", reason=describe(error), error_class=type(error).__name__)
                else:
                    log.exception("reconciliation_failed")
                await backoff.pause(stop)
                continue
            backoff.reset()
            await wait(stop, min(self._every_seconds, _LOOK_ROUND_SECONDS))

    async def _take_turn(self) -> None:
        async with self._database.transaction() as connection:
            if not await turns.take(connection, _LOOK, self._every_seconds):
                return
            stands = any(kept.difference for kept in (await results.read(connection)).values())
            sums = await turns.take(connection, _ADD_UP, 0 if stands else self._sums_every_seconds)
        names = (_LOOK, _ADD_UP) if sums else (_LOOK,)
        ended = asyncio.Event()
        keeping = asyncio.create_task(self._keep_turns(names, ended))
        try:
            await self.look(sums=sums)
        finally:
            ended.set()
            await keeping
            async with self._database.transaction() as connection:
                for name in names:
                    await turns.done(connection, name)

    async def _keep_turns(self, names: Iterable[str], ended: asyncio.Event) -> None:
        while not await wait(ended, turns.KEEP_EVERY_SECONDS):
            try:
                async with self._database.transaction() as connection:
                    for name in names:
                        await turns.keep(connection, name)
            except (SQLAlchemyError, OSError, TimeoutError) as error:  # then another process begins anew
                log.warning("reconciliation_turn_not_kept", reason=describe(error), error_class=type(error).__name__)

    async def look(self, *, sums: bool) -> set[Key]:
        """Make the checks, keep what they say; return where something differs.

        What is new is looked at a second time, relying on nothing that was read before, and counts if it is seen again.
        """
        look = await self._check(sums=sums, from_the_start=False)
        async with self._database.reading() as connection:
            standing = {key for key, kept in (await results.read(connection)).items() if kept.difference}
        if look.differing() - standing:
            once, look = look.differing(), await self._check(sums=sums, from_the_start=True)
            unsure = look.differing() - once
            look.results = [each for each in look.results if (each.check, each.pool) not in unsure]
        await self._keep(look)
        return look.differing()

    def _go_on(self) -> None:
        """Give a look up when the process stops: a long one would be left in the middle, its turn not given back."""
        if self._stop is not None and self._stop.is_set():
            raise StoppingError

    async def _keep(self, look: Look) -> None:
        async with self._database.transaction() as connection:
            said, new, gone = await results.keep(connection, look.results, look.checkpoints, look.positions, look.at)
            await announcing.add(connection, said)
        self._committed()
        for each in new:
            log.error(
                "reconciliation_difference",
                check=each.check_name,
                pool=each.pool,
                difference_fen=each.difference,
                detail=each.detail,
            )
        for check, pool in gone:
            log.info("reconciliation_agrees_again", check=check, pool=pool)

    async def _check(self, *, sums: bool, from_the_start: bool) -> Look:
        """Make the checks of the books in one snapshot, and that of the topics."""
        checks = [check for check in CHECKS if sums or check not in SUMS]
        differences: list[rules.Difference] = []
        async with self._database.snapshot() as connection:
            now: datetime = (await connection.execute(select(func.now()))).scalar_one()
            pools = await queries.pools(connection)
            for pool in pools:
                differences += rules.identity(pool)
            for envelope in await queries.envelopes(connection):
                differences += rules.identity(envelope)
            read = await ledger.read_on(connection, pools, self._go_on, from_the_start=from_the_start)
            differences += read.differences
            for check in SUMS if sums else ():
                differences += [rules.of_figures(check, pair) for pair in await queries.unequal(connection, check)]
        try:
            published = await outbox.read_on(self._database, self._bootstrap, self._go_on)
        except TransientError as error:
            log.warning("reconciliation_waits", check="outbox", reason=describe(error))
            checks.remove("outbox")
            published = outbox.Read([], {})
        differences += published.differences
        made = rules.results(checks, [pool.pool for pool in pools], differences)
        return Look(now, made, read.checkpoints, published.positions)
