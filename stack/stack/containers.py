"""``python -m stack.containers secrets|prepare``: what `docker-compose.yml` runs once before the services.

    secrets   makes every password and key that is not there yet, each where only its user's container finds it:

        <directory>/stack/                  a data directory (stack.home): passwords, keyring, the issuer's keys
        <directory>/postgres/password       the superuser's
        <directory>/<service>/database-url  the service's own login; keyring.json beside it for those that need it
        <directory>/<service>-owner/database-url   the login that owns the tables, for the migration

    prepare   databases, logins, rights and topics, where they lack

Both can be run again at any time: what is there stays. Read from the environment:

DRAWDOWN_SECRETS_DIR                  the directory above
DRAWDOWN_POSTGRES_HOST, DRAWDOWN_KAFKA_BOOTSTRAP   where the two are, as containers reach them
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import asyncpg

from stack import issuer, keyring, passwords, topics
from stack.errors import ConfigurationError, StackError
from stack.grants import SERVICES, create_databases, grant_use, logins, owner
from stack.home import Home, open_home

SUPERUSER: Final = "postgres"
SEALING: Final = frozenset({"intake", "eligibility", "disbursement"})
_CONNECT_SECONDS: Final = 30.0


def make_secrets(directory: Path, host: str) -> None:
    """Write what lacks. Raises ConfigurationError when the passwords are lost though databases were made with them."""
    given = directory / "postgres" / "password"
    home = open_home(directory / "stack")
    known = passwords.load_or_create(home.passwords_file, [SUPERUSER, *logins()], may_create=not given.exists())
    keyring.create(home)
    issuer.create_keys(home)
    # The image's entrypoint reads it as another user than ours. Nobody else's container has this directory.
    _write(given, known[SUPERUSER], mode=0o444)
    for service in SERVICES:
        for login, place in ((service, service), (owner(service), f"{service}-owner")):
            url = f"postgresql://{login}:{known[login]}@{host}/{service}"
            _write(directory / place / "database-url", url, mode=0o400)
        if service in SEALING:
            _write(directory / service / "keyring.json", home.keyring_file.read_text(encoding="utf-8"), mode=0o400)


async def prepare(home: Home, host: str, kafka_bootstrap: str) -> None:
    """Create the databases with their logins and rights, and the topics."""
    known = passwords.load_or_create(home.passwords_file, [SUPERUSER, *logins()], may_create=False)
    superuser = await _connected(known, host, SUPERUSER)
    try:
        await create_databases(superuser, known)
    finally:
        await superuser.close()
    for service in SERVICES:
        database = await _connected(known, host, service)
        try:
            await grant_use(database, service)
        finally:
            await database.close()
    await topics.create_topics(kafka_bootstrap, replicas=1)


async def _connected(known: Mapping[str, str], host: str, database: str) -> asyncpg.Connection:
    name, _, port = host.partition(":")
    try:
        return await asyncpg.connect(
            host=name,
            port=int(port or 5432),
            user=SUPERUSER,
            password=known[SUPERUSER],
            database=database,
            timeout=_CONNECT_SECONDS,
        )
    except asyncpg.InvalidPasswordError as error:
        raise ConfigurationError(
            "PostgreSQL's data was made with another password than the secrets' volume has: restore that volume, or "
            "remove both to begin anew"
        ) from error
    except (OSError, asyncpg.PostgresError) as error:
        raise StackError(f"PostgreSQL at {host} can't be reached ({error}): docker compose logs postgres") from error


def _write(path: Path, text: str, *, mode: int) -> None:
    """Replace the file whole, where its text differs."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(exist_ok=True)
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        file.write(text)
    draft.chmod(mode)  # whatever the umask says
    draft.replace(path)


def main(arguments: list[str], environment: Mapping[str, str]) -> int:
    """Do the named work; a failure is one line on standard error and its exit code."""
    try:
        directory, host = Path(environment["DRAWDOWN_SECRETS_DIR"]), environment["DRAWDOWN_POSTGRES_HOST"]
        match arguments:
            case ["secrets"]:
                make_secrets(directory, host)
            case ["prepare"]:
                home = Home(directory / "stack")
                asyncio.run(prepare(home, host, environment["DRAWDOWN_KAFKA_BOOTSTRAP"]))
            case _:
                sys.exit(f"usage: python -m stack.containers secrets|prepare\n\n{__doc__}")
    except KeyError as error:
        sys.stderr.write(f"{error.args[0]} is not set: see the head of stack/stack/containers.py\n")
        return ConfigurationError.exit_code
    except StackError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
