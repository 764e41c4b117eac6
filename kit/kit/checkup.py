"""`python -m <service> check`: can this process reach all that its settings name, and is it fit to be worked with?

One finding a line, as JSON: ``{"check", "status", "what", "why", "mend"}``. ``status`` is ``well``, ``wrong`` or
``unknown`` (it could not be looked at, for the reason that another finding gives). Nothing is changed. Secrets are
never printed. `drawdown doctor` runs it for each service; an operator runs it where the service runs.
"""

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

import httpx
import msgspec
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from contracts.topics import TOPICS
from kit import revisions
from kit.access_tokens import LEEWAY_SECONDS
from kit.brokers import connection
from kit.database import Database, describe
from kit.deadlines import within
from kit.errors import SetupError, TransientError
from kit.sealing import Keyring
from kit.settings import KeyringSettings, ServiceSettings

ANSWER_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 2.0
_CLOCK_WHY: Final = (
    f"deadlines, tokens and the order of a timeline go by clocks: beyond {LEEWAY_SECONDS} s tokens are refused"
)
_CLOCK_MEND: Final = "have chrony or another NTP client set both machines' clocks: chronyc makestep; chronyc tracking"


class Finding(msgspec.Struct, frozen=True):
    """What one look came to; of what is wrong also why it matters and what mends it."""

    check: str
    status: Literal["well", "wrong", "unknown"]
    what: str
    why: str = ""
    mend: str = ""


async def findings(service: str, settings: ServiceSettings) -> AsyncIterator[Finding]:
    """Yield what was found of one service's database, brokers, keyring and issuer."""
    for look in (_database, _brokers, _keyring, _issuer):
        async for finding in look(service, settings):
            yield finding


def main(service: str, settings: ServiceSettings) -> int:
    """Print the findings; answer the exit code: 0 all is well, 1 something is wrong."""
    logging.disable(logging.CRITICAL)  # what the clients complain of is in the findings, and nothing else is printed
    return asyncio.run(_print(service, settings))


async def _print(service: str, settings: ServiceSettings) -> int:
    wrong = 0
    async for finding in findings(service, settings):
        sys.stdout.write(msgspec.json.encode(finding).decode() + "\n")
        wrong += finding.status == "wrong"
    return 1 if wrong else 0


def clock_finding(check: str, whose: str, ahead_seconds: float, precise_to_seconds: float) -> Finding:
    """Return what a comparison of our clock with another one means. ``ahead_seconds`` is how far the other is ahead."""
    if abs(ahead_seconds) <= LEEWAY_SECONDS + precise_to_seconds:
        return Finding(check, "well", f"agrees with {whose} to {abs(ahead_seconds):.0f} s")
    where = "behind" if ahead_seconds > 0 else "ahead of"
    said = f"this machine's clock is {abs(ahead_seconds):.0f} s {where} that of {whose}"
    return Finding(check, "wrong", said, _CLOCK_WHY, _CLOCK_MEND)


def _variable(settings: ServiceSettings, name: str) -> str:
    return f"{settings.model_config.get('env_prefix', '')}{name}".upper()


# --- the database ----------------------------------------------------------------------------------------------------


async def _database(service: str, settings: ServiceSettings) -> AsyncIterator[Finding]:
    database = Database(settings.database_url, pool_size=2, statement_timeout_seconds=ANSWER_SECONDS, name="check")
    try:
        sent = time.time()
        async with database.apart() as plain:
            row = (await plain.execute(text("SELECT clock_timestamp(), current_setting('server_version')"))).one()
        now = (sent + time.time()) / 2
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        yield _no_database(settings, describe(error))
        yield Finding("migrations", "unknown", "the database can't be reached")
        yield Finding("database clock", "unknown", "the database can't be reached")
        return
    else:
        yield Finding("database", "well", f"PostgreSQL {row[1].split()[0]} at {_place(settings.database_url)}")
        yield clock_finding("database clock", "its PostgreSQL", row[0].timestamp() - now, 0)
        yield await _migrations(service, settings, database)
    finally:
        await database.close()


def _no_database(settings: ServiceSettings, said: str) -> Finding:
    place = _place(settings.database_url)
    return Finding(
        "database",
        "wrong",
        f"{place} can't be used: {said}",
        "nothing is accepted and nothing goes on without it; what was accepted is kept",
        f"start PostgreSQL there, or correct {_variable(settings, 'database_url')}: psql is the quickest try",
    )


def _place(url: str) -> str:
    """Return host, port and database of an address, without its login."""
    parts = urlsplit(url)
    return f"{parts.hostname or 'localhost'}:{parts.port or 5432}{parts.path}"


async def _migrations(service: str, settings: ServiceSettings, database: Database) -> Finding:
    wanted = revisions.head(service)
    try:
        await database.check(wanted)
    except TransientError as error:
        why = "the service waits, and accepts nothing, until its database has the shape that this version needs"
        mend = f"{_variable(settings, 'migration_database_url')}=<its owner's login> python -m {service} migrate"
        return Finding("migrations", "wrong", str(error).partition(": run")[0], why, mend)
    except SetupError as error:
        why = "a crash of the machine could lose payments that were confirmed: the service refuses to start"
        return Finding("migrations", "wrong", str(error), why, "ALTER SYSTEM SET ... = on; SELECT pg_reload_conf()")
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        return _no_database(settings, describe(error))
    return Finding("migrations", "well", f"at {wanted} or later, and commits are durable")


# --- the brokers -----------------------------------------------------------------------------------------------------


async def _brokers(_service: str, settings: ServiceSettings) -> AsyncIterator[Finding]:
    try:
        brokers = settings.brokers
    except SetupError as error:
        yield Finding("brokers", "wrong", str(error), "without a way in nothing is published or read", str(error))
        return
    try:
        count, described = await within(ANSWER_SECONDS, _ask_brokers(brokers), "asking the brokers")
    except (KafkaError, OSError, TimeoutError) as error:
        yield Finding(
            "brokers",
            "wrong",
            f"{brokers} does not answer: {describe(error)}",
            "events wait in the outboxes and nothing is lost, but nothing goes from one service to the next",
            f"start the broker, or correct {_variable(settings, 'kafka_bootstrap')}: docs/runbooks/broker-loss.md",
        )
        yield Finding("topics", "unknown", "the brokers can't be reached")
        return
    yield Finding("brokers", "well", f"{count} at {brokers}")
    yield _topics(described)


async def _ask_brokers(brokers: str) -> tuple[int, dict[str, int]]:
    """Return how many brokers there are, and how many partitions each topic has that we may see."""
    admin = AIOKafkaAdminClient(**connection(brokers), client_id="check", request_timeout_ms=int(ANSWER_SECONDS * 1000))
    try:
        await admin.start()
        count = len((await admin.describe_cluster())["brokers"])
        there = sorted(set(await admin.list_topics()) & TOPICS.keys())
        described = await admin.describe_topics(there) if there else []
    finally:
        # in a task of its own, because it waits for a broker that hangs and swallows a cancellation meant for us
        await asyncio.wait({asyncio.create_task(admin.close())}, timeout=CLOSE_SECONDS)
    return count, {topic["topic"]: len(topic["partitions"]) for topic in described}


def _topics(partitions: dict[str, int]) -> Finding:
    wrong = [
        f"{name} has {partitions[name]} partitions instead of {topic.partitions}"
        for name, topic in TOPICS.items()
        if name in partitions and partitions[name] != topic.partitions
    ]
    lacking = sorted(TOPICS.keys() - partitions.keys())
    if wrong:
        why = "a key would move to another partition, and its events would lose their order: the service refuses"
        return Finding("topics", "wrong", "; ".join(wrong), why, "make the topic anew: docs/runbooks/broker-loss.md")
    if lacking:
        why = "whoever writes or reads them waits"
        mend = "create them as contracts/topics.py has them, or let this login see them (ACL: describe)"
        return Finding("topics", "wrong", f"not there: {', '.join(lacking)}", why, mend)
    return Finding("topics", "well", f"all {len(TOPICS)} with their partitions")


# --- keyring and issuer ----------------------------------------------------------------------------------------------


async def _keyring(_service: str, settings: ServiceSettings) -> AsyncIterator[Finding]:
    if not isinstance(settings, KeyringSettings):
        return
    variable, path = _variable(settings, "keyring_file"), settings.keyring_file
    why = "accounts and contacts are sealed under its keys: without it no payment can be ordered"
    try:
        keyring = Keyring.read(path, variable)
    except SetupError as error:
        yield Finding("keyring", "wrong", str(error), why, f"restore {path} from its backup; never make a new one")
        return
    if _open_to_all(path):
        said = f"every user of this machine can read {path}"
        why = "whoever has a copy of the database and this file reads every account"
        yield Finding("keyring", "wrong", said, why, f"chmod o-rwx {path}; then a new key: drawdown privacy rotate")
        return
    yield Finding("keyring", "well", f"{len(keyring.key_ids)} keys, {keyring.current} seals")


def _open_to_all(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o007)


async def _issuer(_service: str, settings: ServiceSettings) -> AsyncIterator[Finding]:
    if settings.access_issuer is None:
        variable = _variable(settings, "access_issuer")
        why = "every call that demands a token is refused"
        yield Finding("issuer", "wrong", f"{variable} is not set", why, f"set {variable}: docs/how-to/get-a-token.md")
        return
    url = settings.access_jwks_url or f"{settings.access_issuer.rstrip('/')}/.well-known/jwks.json"
    try:
        ahead, status = await date_of(url)
    except (httpx.HTTPError, OSError) as error:
        said = f"{url} does not answer: {str(error) or type(error).__name__}"
        why = "tokens are checked with keys that are remembered; after a restart every call is answered 503"
        yield Finding("issuer", "wrong", said, why, "see to the identity provider, and to the way there")
        return
    if status != httpx.codes.OK:
        variable = _variable(settings, "access_jwks_url")
        why = "tokens can't be checked without its public keys"
        yield Finding("issuer", "wrong", f"{url} answers {status}", why, f"correct {variable}")
        return
    yield Finding("issuer", "well", f"its keys are at {url}")
    if ahead is not None:
        yield clock_finding("issuer's clock", "the issuer of tokens", ahead, 1)


async def date_of(url: str, clock: Callable[[], float] = time.time) -> tuple[float | None, int]:
    """Return how many seconds the server at ``url`` is ahead of us (None where it sends no Date), and its status.

    ``Date`` has whole seconds (RFC 9110, 6.6.1): the middle of its second is compared with the middle of the call.
    """
    async with httpx.AsyncClient(timeout=ANSWER_SECONDS) as client:
        sent = clock()
        answer = await client.get(url)
        now = (sent + clock()) / 2
    date = answer.headers.get("date")
    if date is None:
        return None, answer.status_code
    try:
        theirs: datetime = parsedate_to_datetime(date)
    except ValueError:
        return None, answer.status_code
    theirs = theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)
    return theirs.timestamp() + 0.5 - now, answer.status_code
