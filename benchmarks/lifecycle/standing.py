"""Where applications, claims and payments stand when lives do not end: it says whose turn it was."""

from typing import Final

import asyncpg

from stack.grants import SERVICES
from stack.supervisor import Stack

_STANDING: Final = {
    "intake": ("applications", "claims"),
    "eligibility": ("assessments",),
    "disbursement": ("payments",),
    "metrics": (),
}
_BY_STATUS: Final = "SELECT status, count(*) FROM {} GROUP BY status ORDER BY status"
_PARKED: Final = "SELECT count(*) FROM parked WHERE state = 'parked'"


async def standing(stack: Stack) -> str:
    """Return how many rows of each database have which status, and how many events are parked."""
    found = []
    for service in SERVICES:
        connection = await asyncpg.connect(stack.postgres.superuser_dsn(service))
        try:
            for table in _STANDING[service]:
                counts = ", ".join(
                    f"{count} {status}" for status, count in await connection.fetch(_BY_STATUS.format(table))
                )
                found.append(f"{service} has {counts or 'no'} {table}")
            if parked := await connection.fetchval(_PARKED):
                found.append(f"{service} has {parked} parked events")
        finally:
            await connection.close()
    return "; ".join(found)
