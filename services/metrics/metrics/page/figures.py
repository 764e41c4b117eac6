"""What the page shows, read at one moment: sums and counts that tell of no single company."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.common import Text
from metrics import snapshot
from metrics.programme import Programme, Target
from metrics.rules.books import Pool
from metrics.rules.disclosure import Disclosed
from metrics.rules.lifecycle import FUNNEL
from metrics.rules.tallies import REACHED
from metrics.tables import progress


class SchemeSums(msgspec.Struct, frozen=True):
    """What awards of one scheme hold or have got of one pool, in fen."""

    pool: str
    scheme: str
    committed: int = 0
    obligated: int = 0
    disbursed: int = 0

    @property
    def drawn(self) -> int:
        return self.committed + self.obligated + self.disbursed


class Figures(msgspec.Struct, frozen=True):
    """All of the page's figures, of one moment: ``as_of``, where the programme is. Amounts in fen.

    ``districts`` and ``months`` are by pool. ``parked`` events could not be counted and wait for a person.
    """

    as_of: datetime
    pools: Sequence[Pool]
    schemes: Sequence[SchemeSums]
    districts: Mapping[str, Disclosed]
    months: Mapping[str, Disclosed]
    funnel: Mapping[str, int]
    targets: Sequence[tuple[Target, int]]
    titles: Mapping[str, Text]
    parked: int = 0
    last_event_at: datetime | None = None

    def says_the_same(self, other: "Figures") -> bool:
        """Return whether nothing differs but the time."""
        return msgspec.structs.replace(self, as_of=other.as_of, last_event_at=other.last_event_at) == other


async def read(connection: AsyncConnection, programme: Programme, calendar: ZoneInfo) -> Figures:
    """Return the figures; ``connection`` has to be a snapshot (``kit.database``)."""
    tallies = await snapshot.read_tallies(connection)
    return Figures(
        as_of=(await snapshot.moment(connection)).astimezone(calendar),
        pools=await snapshot.read_pools(connection),
        schemes=_schemes(await snapshot.read_scheme_balances(connection)),
        districts=await snapshot.read_disclosed(connection, "district"),
        months=await snapshot.read_disclosed(connection, "month"),
        funnel={
            stage: sum(count for (name, _, label), count in tallies.items() if (name, label) == (REACHED, stage))
            for stage in FUNNEL
        },
        targets=tuple((target, target.actual(tallies)) for target in programme.targets),
        titles=await snapshot.read_titles(connection),
        parked=await snapshot.read_parked(connection),
        last_event_at=await _last_event_at(connection, calendar),
    )


async def _last_event_at(connection: AsyncConnection, calendar: ZoneInfo) -> datetime | None:
    found: datetime | None = (await connection.execute(select(func.max(progress.c.last_event_at)))).scalar_one()
    return found.astimezone(calendar) if found is not None else None


def _schemes(balances: Mapping[tuple[str, str, str], int]) -> list[SchemeSums]:
    """Return the sums by pool, the largest first."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for (pool, scheme, state), amount in balances.items():
        found.setdefault((pool, scheme), {})[state] = amount
    sums = [SchemeSums(pool, scheme, **states) for (pool, scheme), states in found.items()]
    return sorted(sums, key=lambda each: (each.pool, -each.drawn, each.scheme))
