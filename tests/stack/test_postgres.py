"""PostgreSQL: each service reaches its own rows, and neither another's data nor the shape of its own."""

import asyncpg
import pytest

from stack.grants import SERVICES
from stack.home import Home
from stack.postgres import Postgres

OTHERS = [(login, database) for login in SERVICES for database in SERVICES if login != database]


async def connect(dsn: str) -> asyncpg.Connection:
    return await asyncpg.connect(dsn, timeout=5)


def elsewhere(dsn: str, database: str) -> str:
    return f"{dsn.rsplit('/', 1)[0]}/{database}"


@pytest.mark.parametrize(("login", "database"), [*OTHERS, ("intake", "postgres"), ("intake", "template1")])
async def test_no_login_reaches_anothers_database(postgres: Postgres, login: str, database: str) -> None:
    for dsn in (postgres.dsn(login), postgres.owner_dsn(login)):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connect(elsewhere(dsn, database))


@pytest.mark.parametrize("service", SERVICES)
async def test_the_runtime_login_uses_what_the_owner_makes(postgres: Postgres, service: str) -> None:
    owner = await connect(postgres.owner_dsn(service))
    login = await connect(postgres.dsn(service))
    try:
        await owner.execute("CREATE SCHEMA probe; CREATE TABLE probe.t (id BIGINT GENERATED ALWAYS AS IDENTITY, n INT)")
        await owner.execute("CREATE SEQUENCE probe.s; CREATE FUNCTION probe.f() RETURNS INT RETURN 7")
        await login.execute("INSERT INTO probe.t (n) VALUES (1), (2); UPDATE probe.t SET n = 3 WHERE n = 1")
        await login.execute("DELETE FROM probe.t WHERE n = 2")
        assert await login.fetchval("SELECT n FROM probe.t") == 3
        assert await login.fetchval("SELECT nextval('probe.s') + (SELECT last_value FROM probe.s)") == 2
        assert await login.fetchval("SELECT probe.f()") == 7
    finally:
        await owner.execute("DROP SCHEMA IF EXISTS probe CASCADE")
        await owner.close()
        await login.close()


@pytest.mark.parametrize(
    "statement", ["CREATE TABLE t ()", "CREATE TEMP TABLE t ()", "CREATE SCHEMA s", "CREATE ROLE r"]
)
async def test_the_runtime_login_has_no_ddl(postgres: Postgres, statement: str) -> None:
    login = await connect(postgres.dsn("intake"))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await login.execute(statement)
    finally:
        await login.close()


async def test_a_wrong_password_is_refused(postgres: Postgres) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await connect(f"postgresql://intake:wrong@127.0.0.1:{postgres.port}/intake")


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
async def test_durability_is_as_in_production(postgres: Postgres, setting: str) -> None:
    login = await connect(postgres.dsn("disbursement"))
    try:
        assert await login.fetchval(f"SHOW {setting}") == "on"
    finally:
        await login.close()


@pytest.mark.usefixtures("postgres")
async def test_passwords_are_readable_by_their_owner_only(stack_home: Home) -> None:
    assert stack_home.passwords_file.stat().st_mode & 0o777 == 0o600
