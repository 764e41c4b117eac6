"""pgbench, for orientation: the peer's transaction for an approval with no Python in it, 16 clients, one hot pool."""

import re
from pathlib import Path
from typing import Final

from benchmarks.harness import pgbench
from benchmarks.harness.rounds import Run
from benchmarks.ledger import scene
from benchmarks.ledger.theirs import CONNECTIONS
from benchmarks.peers import row_lock_sql as sql

_POOL: Final = scene.POOLS[0]
_SCHEME: Final = scene.scheme_of(_POOL)

# What the peer's driver would send, written by pgbench's own random numbers.
_ID: Final = "lpad(to_hex((:{0})::bigint), 32, '0')::uuid"
_AWARD: Final = (
    *(_ID.format("application"), "'914400000000000000'", f"'{_SCHEME}'", "2026", "now()"),
    *(_ID.format("award"), f"'{_POOL}'", "'nanshan'", "'9144' || (:company)::bigint", "'2026.1'", "'voucher'"),
    *("'CV-' || (:award)::bigint", "6000", "1000", "1000", "'approved'", """'{"name": "n", "account": "a"}'::jsonb"""),
    *("now()", "now()", _ID.format("transfer"), "'award.issued:' || (:application)::bigint", _ID.format("event")),
    *(
        "'disbursement.awards'",
        "'914400000000000000'",
        "'drawdown.award.issued.v1'",
        "decode(repeat('7b', 650), 'hex')",
    ),
)
_LIMITS: Final = (f"'{_SCHEME}'", "2026", "'9144' || (:company)::bigint", _ID.format("application"))
_RANDOM: Final = ("application", "award", "transfer", "event", "cause")


def script() -> str:
    """Return the transaction as pgbench's script."""
    draws = [f"\\set {name} random(1, 9000000000000000000)" for name in _RANDOM]
    statements = [
        "BEGIN",
        _filled(sql.DEDUPLICATE, (_ID.format("cause"),)),
        _filled(sql.LOCK_POOL, (f"'{_POOL}'",)),
        _filled(sql.LIMITS, _LIMITS),
        _filled(sql.AWARD, _AWARD),
        "COMMIT",
    ]
    return "\n".join([*draws, "\\set company random(1, 50000)", *(f"{one};" for one in statements)]) + "\n"


async def run(dsn: str, seconds: float, directory: Path) -> Run:
    """Run it against the peer's database; return what pgbench counted."""
    return await pgbench.run(dsn, script(), seconds, directory, clients=CONNECTIONS)


def _filled(statement: str, values: tuple[str, ...]) -> str:
    text = re.sub(r"\$(\d+)", lambda found: values[int(found[1]) - 1], statement)
    return " ".join(text.split())
