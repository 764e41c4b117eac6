"""Plans are made again every few seconds, because PostgreSQL keeps them and tables grow.

A prepared statement keeps the plan that was right for its tables as they were. A table that had one page when the
services started is read whole by a kept plan, and goes on being read whole until PostgreSQL analyses it: a minute
later at the soonest. On an opening morning that minute is the one that counts. What it costs: docs/decisions/0024.
"""

import time
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

KEPT_SECONDS = 10.0

_MADE_AT: Final = "plans_made_at"


async def renew(connection: AsyncConnection) -> None:
    """Have a connection's kept plans made again when they are older than ``KEPT_SECONDS``."""
    assert connection.sync_connection is not None, "it was just lent"
    info, now = connection.sync_connection.info, time.monotonic()
    if now - info.setdefault(_MADE_AT, now) >= KEPT_SECONDS:
        await connection.exec_driver_sql("DISCARD PLANS")
        info[_MADE_AT] = now
