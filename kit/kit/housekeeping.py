"""What is looked after every hour: the coming days' partitions, and what has been kept for long enough."""

import asyncio
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from kit import idempotency
from kit.backoff import wait
from kit.database import Database, describe
from kit.logging import get_logger

log = get_logger(__name__)

_EVERY_SECONDS: Final = 3600.0


async def keep(database: Database, retention_days: int, stop: asyncio.Event) -> None:
    """Make partitions, drop old ones and old idempotency keys, until ``stop``; what fails is tried an hour later."""
    while not stop.is_set():
        try:
            await database.roll_partitions()
            dropped = await database.drop_old_partitions(retention_days)
            async with database.transaction() as connection:
                forgotten = await idempotency.forget_old(connection)
            log.info("housekeeping", forgotten_idempotency_keys=forgotten, dropped_partitions=dropped)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("housekeeping_waits", reason=describe(error))
        await wait(stop, _EVERY_SECONDS)
