"""No statement of the services reads the whole of a table that grows: each has an index, whatever the season.

PostgreSQL tells every plan (auto_explain), and is forbidden to scan where it has any other way (`enable_seqscan`): what
is scanned all the same has no index that serves. So it shows with a handful of rows what would hurt with millions.
Nothing is counted meanwhile (`autovacuum`): who knows that a table has three rows rightly reads all three.
Who reads an index from end to end reads as much as who scans: it is told of too, unless a limit ends it.
"""

import io
import json
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import asyncpg
import httpx
import pytest
from rich.console import Console

from stack import issuer
from stack.config import Config, Ports
from stack.demo import Place, call_of, play, tokens_of
from stack.grants import SERVICES
from stack.home import open_home
from stack.supervisor import Stack

COMPANIES: Final = 30
EAGER: Final = {
    "DISBURSEMENT_RECONCILE_EVERY_SECONDS": "1",
    "DISBURSEMENT_RECONCILE_SUMS_EVERY_SECONDS": "2",
}
TOLD: Final = {
    "enable_seqscan": "off",
    "enable_mergejoin": "off",  # it would rather read two indexes to the end, of tables with a handful of rows
    "enable_hashjoin": "off",
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_format": "json",
}
PLAN: Final = re.compile(
    r"^\S+ \S+ UTC \[\d+\] (\w+)@\w+ LOG:  duration: [\d.]+ ms  plan:\n((?:\t.*\n)+)", re.MULTILINE
)

# Tables with as many rows as there are documents of the programme, partitions, checks, days, orders, files for banks;
# and ``parties``, which has what one topic tells before another does.
SMALL: Final = {
    "companies_behind",
    "envelopes",
    "flows",
    "known_flaws",
    "ledger_checkpoints",
    "orders",
    "parties",
    "payment_files",
    "policies",
    "pools",
    "progress",
    "reconciliations",
    "scheme_balances",
    "tallies",
    "topic_positions",
    "webhooks",
}
FROM_INDEX: Final = ("Index Scan", "Index Only Scan")
# Indexes of what waits at this moment, and of nothing that is over.
OF_WHAT_WAITS: Final = {
    "ix_accounts_deadline",
    "ix_applications_deadline",
    "ix_assessments_deadline",
    "ix_assessments_due",
    "ix_claims_deadline",
    "ix_deliveries_pending",
    "ix_parked_waiting",
    "ix_recoveries_open",
    "uq_tasks_open",
}
SEQUENCES: Final = {"outbox_id_seq", "pushes_id_seq"}
EXCEPTIONS: Final = {
    # The books are added up anew from every transfer, every so often: that is what the check is for.
    re.compile(r"WITH (moved|held) AS \( ?SELECT"): re.compile(r"awards|recoveries|transfers"),
    # An operator who changes keys asks how much is still under the old one: of some days' answers and events.
    re.compile(r"SELECT count\(\*\) FROM \(SELECT FROM \w+ WHERE substring"): re.compile(r"idempotency|outbox_\w+"),
    # All awards that run are counted by what they wait for, from an index that has all it takes.
    re.compile(r"SELECT CASE WHEN status = 'instructed' THEN 'payment'"): re.compile(r"awards"),
}

SCOPES: Final = ("portal", "officer", "auditor", "finance", "ops")
ASKED_FOR: Final = {
    "applicant": "91440300MA5FUTURE0",
    "scheme": "compute-voucher",
    "district": "nanshan",
    "submitted_from": "2026-01-01T00:00:00Z",
    "submitted_until": "2026-01-01T00:00:00Z",
    "since": "2026-01-01T00:00:00Z",
    "holder": "somebody",
    "application_id": str(uuid4()),
    "topic": "intake.applications",
    "key": "k",
    "pool": "ai-package-2025",
}


@pytest.fixture(scope="module")
async def system() -> AsyncIterator[Stack]:
    home = open_home(Path(tempfile.mkdtemp(prefix="drawdown-statements-")))
    async with Stack(Config(home=home, ports=Ports.free(), environment={**os.environ, **EAGER})) as stack:
        yield stack
    shutil.rmtree(home.path)


async def told_to_explain(system: Stack) -> None:
    """From now on every connection of the services tells its plans, made without knowing how few rows there are."""
    superuser = await asyncpg.connect(system.postgres.superuser_dsn())
    await superuser.execute("ALTER SYSTEM SET autovacuum = off")
    await superuser.execute("SELECT pg_reload_conf()")
    for service in SERVICES:
        for name, value in TOLD.items():
            await superuser.execute(f"ALTER ROLE {service} SET {name} = '{value}'")
    await superuser.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ANY($1)", SERVICES)
    await superuser.close()


async def lists_asked(system: Stack) -> int:
    """Ask each service for each of its lists, plain and with each of its filters; return how often that was."""
    token = issuer.mint(system.config.home, subject="auditor-1", scopes=SCOPES)
    asked = 0
    async with httpx.AsyncClient(timeout=30, trust_env=False, headers={"authorization": f"Bearer {token}"}) as client:
        for service in SERVICES:
            url = system.urls[service]
            document = (await client.get(f"{url}/openapi.json")).json()
            for path, operations in document["paths"].items():
                if "get" not in operations or "{" in path or path in ("/v1/events", "/metrics"):
                    continue
                parameters = [each for each in operations["get"].get("parameters", []) if each["in"] == "query"]
                for query in queries(parameters):
                    answer = await client.get(url + path, params=query)
                    assert answer.status_code in (200, 404), f"{service} {path} {query}: {answer.text}"
                    asked += 1
    return asked


def queries(parameters: list[dict[str, Any]]) -> Iterator[dict[str, str]]:
    """Yield the parameters that have to be there, then these with each of the others."""
    needed = {each["name"]: ASKED_FOR[each["name"]] for each in parameters if each["required"]}
    yield needed
    for each in parameters:
        values = each["schema"].get("enum") or [ASKED_FOR.get(each["name"])]
        yield from ({**needed, each["name"]: value} for value in values if value is not None)


def plans(log: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for service, text in PLAN.findall(log):
        yield service, json.loads(text)


def read_whole(plan: dict[str, Any], limited: bool = False) -> Iterator[str]:
    """Yield the tables that a plan scans, and those of which it reads an index to the end."""
    kind = plan["Node Type"]
    limited |= kind == "Limit"
    to_the_end = kind in FROM_INDEX and "Index Cond" not in plan and plan["Index Name"] not in OF_WHAT_WAITS
    if (kind == "Seq Scan" or (to_the_end and not limited)) and not plan["Relation Name"].startswith("pg_"):
        yield plan["Relation Name"]
    for child in plan.get("Plans", []):
        yield from read_whole(child, limited)


async def test_no_statement_scans_a_table_that_grows(system: Stack) -> None:
    await told_to_explain(system)
    place = Place(system.urls, system.kafka_bootstrap, tokens_of(system.config.home), call=call_of(system.config))
    await play(place, COMPANIES, 1, Console(file=io.StringIO()))
    assert await lists_asked(system) > 40

    found: set[str] = set()
    explained = dict.fromkeys(SERVICES, 0)
    for service, told in plans(system.config.home.log("postgres").read_text(encoding="utf-8", errors="replace")):
        explained[service] += 1
        statement = " ".join(told["Query Text"].split())
        for table in set(read_whole(told["Plan"])) - SMALL - SEQUENCES:
            if not any(text.match(statement) and tables.fullmatch(table) for text, tables in EXCEPTIONS.items()):
                found.add(f"{service}.{table}: {statement[:300]}")
    assert not found, "\n".join(sorted(found))
    assert min(explained.values()) > 100, explained
