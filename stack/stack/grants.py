"""You are where each service gets its own database, an owner that may change its shape, and a login that may not.

Everything here can be run again and again, so that a start that was interrupted half-way is finished by the next.
"""

from collections.abc import Mapping

import asyncpg

SERVICES = ("intake", "eligibility", "disbursement", "metrics")


def owner(service: str) -> str:
    """The login that migrates: it owns the database and all that is in it."""
    return f"{service}_owner"


def logins() -> list[str]:
    """Every login of the cluster but the superuser."""
    return [login for service in SERVICES for login in (service, owner(service))]


async def create_databases(superuser: asyncpg.Connection, passwords: Mapping[str, str]) -> None:
    """Create the logins and the databases that are not there, and close all of them to everybody else."""
    await superuser.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    present = {row["rolname"] for row in await superuser.fetch("SELECT rolname FROM pg_roles")}
    for login in logins():
        if login not in present:
            await superuser.execute(f"CREATE ROLE {login} LOGIN PASSWORD '{passwords[login]}'")
    databases = {row["datname"] for row in await superuser.fetch("SELECT datname FROM pg_database")}
    for service in SERVICES:
        if service not in databases:
            await superuser.execute(f"CREATE DATABASE {service} OWNER {owner(service)}")
        await superuser.execute(f"REVOKE ALL ON DATABASE {service} FROM PUBLIC")
        await superuser.execute(f"GRANT CONNECT ON DATABASE {service} TO {service}")
    await superuser.execute("REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC")


async def grant_use(database: asyncpg.Connection, service: str) -> None:
    """Inside one service's database: the owner shapes schemas, the login only uses what is in them.

    Default privileges hold for whatever the owner will create, so that migrations need no grants of their own.
    """
    defaults = f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner(service)}"
    await database.execute(f"""
        ALTER SCHEMA public OWNER TO {owner(service)};
        REVOKE ALL ON SCHEMA public FROM PUBLIC;
        GRANT USAGE ON SCHEMA public TO {service};
        {defaults} GRANT USAGE ON SCHEMAS TO {service};
        {defaults} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {service};
        {defaults} GRANT USAGE, SELECT ON SEQUENCES TO {service};
        {defaults} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
        {defaults} GRANT EXECUTE ON FUNCTIONS TO {service};
    """)  # noqa: S608  # the names are this module's constants
