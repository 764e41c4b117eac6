"""You are where one database takes another one's name while its service runs: who was connected connects again."""

from contextlib import suppress

import asyncpg

from stack.grants import owner
from stack.postgres import CONNECT_SECONDS, Postgres


async def as_superuser(postgres: Postgres, *statements: str) -> None:
    """Run statements one after the other, each committed by itself."""
    connection = await asyncpg.connect(postgres.superuser_dsn(), timeout=CONNECT_SECONDS)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def exists(postgres: Postgres, database: str) -> bool:
    """Whether there is a database of this name."""
    connection = await asyncpg.connect(postgres.superuser_dsn(), timeout=CONNECT_SECONDS)
    try:
        return bool(await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database))
    finally:
        await connection.close()


async def create_beside(postgres: Postgres, database: str, service: str) -> None:
    """Create a database as the service's own is: of its owner, open to its login and to nobody else."""
    await as_superuser(
        postgres,
        f"CREATE DATABASE {database} OWNER {owner(service)}",
        f"REVOKE ALL ON DATABASE {database} FROM PUBLIC",
        f"GRANT CONNECT ON DATABASE {database} TO {service}",
    )


async def put_in_place(postgres: Postgres, new: str, name: str, before: str) -> bool:
    """Give `new` the name `name`; what had that name, if anything, is called `before` from then on. Answers whether."""
    old = await exists(postgres, name)
    present = [name, new] if old else [new]
    away = f"ALTER DATABASE {name} RENAME TO {before};" if old else ""
    try:
        await as_superuser(postgres, *(f"ALTER DATABASE {each} ALLOW_CONNECTIONS false" for each in present))
        await as_superuser(
            postgres,
            *(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{each}'" for each in present),  # noqa: S608  # names of ours
            f"BEGIN; {away} ALTER DATABASE {new} RENAME TO {name}; COMMIT",
        )
    finally:
        await _allow_connections(postgres, name, new, before)
    return old


async def _allow_connections(postgres: Postgres, *names: str) -> None:
    """Open again whichever of the names there are: the swap may have failed half-way."""
    for name in names:
        with suppress(asyncpg.InvalidCatalogNameError):
            await as_superuser(postgres, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
