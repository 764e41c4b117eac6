"""Personal data on the whole system: what a life leaves behind, an export, an erasure, another key."""

import asyncio
import json
import os
import re
import sys
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import asyncpg
from aiokafka import AIOKafkaConsumer

from contracts.topics import TOPICS
from stack import issuer
from stack.grants import SERVICES
from stack.simulators import bodies
from stack.simulators.population import Role
from stack.supervisor import Stack
from tests.journeys.test_books import drawdown
from tests.journeys.traveller import State, Traveller

CONTACT = {"name": "欧阳明月", "email": "mingyue@person.example", "phone": "+86 13987654321"}
NUMBER = "6217000987654321098"
PRIVATE = (*CONTACT.values(), "13987654321", NUMBER)


async def dump(system: Stack) -> dict[str, str]:
    """Return all text of all tables of the four databases, bytes decoded."""
    found = {}
    for service in SERVICES:
        connection = await asyncpg.connect(system.postgres.superuser_dsn(service))
        names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for name in [row["tablename"] for row in names]:
            rows = await connection.fetch(f'SELECT CAST(t AS text) FROM "{name}" AS t')
            said = "\n".join(row[0] for row in rows)
            hidden = re.findall(r"\\x((?:[0-9a-f]{2})+)", said)
            found[f"{service}.{name}"] = said + "".join(bytes.fromhex(part).decode(errors="replace") for part in hidden)
        await connection.close()
    return found


def places(found: dict[str, str]) -> list[tuple[str, str]]:
    return [(place, value) for place, said in found.items() for value in PRIVATE if value in said]


async def topics(system: Stack) -> dict[str, str]:
    """Return everything that stands on the topics."""
    consumer = AIOKafkaConsumer(*TOPICS, bootstrap_servers=system.kafka_bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    found: dict[str, str] = {}
    while batch := await consumer.getmany(timeout_ms=1500):
        for place, records in batch.items():
            said = "\n".join((record.value or b"").decode() for record in records)
            found[place.topic] = found.get(place.topic, "") + said
    await consumer.stop()
    return found


async def lived(traveller: Traveller, number: int) -> tuple[State, str]:
    """Let a company apply, claim all of its award and be paid; return its application and a document of it."""
    document = await traveller.upload(b"%PDF-1.4 evidence of " + uuid4().bytes, "contract")
    asked = traveller.ask_of(Role.ORDINARY, number)
    body = bodies.application(asked, submit=True)
    body["applicant"]["contact"] = CONTACT
    body["applicant"]["account"]["number"] = NUMBER
    body["documents"] = [*body["documents"], document]
    created = await traveller.post("/v1/applications", body)
    assert created.status_code == 201, created.text
    state = await traveller.until_status(created.json(), "awarded")
    await traveller.claim(state, asked.amount // 2, f"{asked.contract.number}-1")
    return await traveller.until_claims_end(state), document


async def close(traveller: Traveller, state: State) -> None:
    """Give up the rest of the award, as finance, and wait until the portal shows it."""
    home = traveller.system.config.home
    token = issuer.mint(home, subject="anna", scopes=["finance"], lifetime=timedelta(minutes=5))
    headers = {"authorization": f"Bearer {token}", "idempotency-key": str(uuid4())}
    body = {"kind": "award.close", "award_id": state["award"]["award_id"], "reason": "the rest is not needed"}
    url = f"{traveller.system.urls['disbursement']}/v1/orders"
    answer = await traveller.client.post(url, json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    await traveller.until(state, lambda seen: seen["award"]["status"] == "closed")


async def test_a_life_leaves_nothing_of_a_person_in_clear_but_for_finance(traveller: Traveller) -> None:
    system = traveller.system
    state, _ = await lived(traveller, 150)
    assert state["applicant"]["contact"] == CONTACT
    assert [claim["status"] for claim in state["claims"]] == ["paid"], "finance had the number"
    found = await dump(system)
    assert "****1098" in found["disbursement.payments"]
    assert "****1098" in found["eligibility.assessments"]
    assert places(found) == []
    assert places({path.name: path.read_text() for path in system.config.home.logs.glob("*.log")}) == []
    told = await topics(system)
    assert {place for place, _ in places(told)} == {"disbursement.payments"}, "which finance pays from"
    assert "****1098" in told["intake.applications"]


async def test_an_export_has_it_all_and_an_erasure_keeps_the_books(traveller: Traveller, tmp_path: Path) -> None:
    system = traveller.system
    state, document = await lived(traveller, 151)
    applicant = state["applicant"]["uscc"]

    path = tmp_path / "export.json"
    done = await drawdown(system, "privacy", "export", applicant, "-o", str(path), "--reason", "request 7")
    assert done.returncode == 0, done.stderr
    assert path.stat().st_mode & 0o777 == 0o600
    export = json.loads(path.read_text())
    rows = {service: part["rows"] for service, part in export["manifest"]["services"].items()}
    assert rows["intake"] | {"applications": 1, "claims": 1, "invoices": 1, "documents": 1} == rows["intake"]
    assert rows["eligibility"] | {"assessments": 1, "claims": 1} == rows["eligibility"]
    assert rows["disbursement"] | {"awards": 1, "payments": 1, "accounts": 1} == rows["disbursement"]
    [sent] = export["intake"]["applications"]
    assert (sent["body"]["applicant"]["contact"], sent["body"]["applicant"]["account"]["number"]) == (CONTACT, NUMBER)
    assert export["disbursement"]["payments"][0]["creditor"]["account"] == NUMBER

    signed = ("--yes", "--by", "bea", "--reason", "request 8")
    refused = await drawdown(system, "privacy", "erase", applicant, *signed)
    assert (refused.returncode, "award" in refused.stderr, "nothing was erased" in refused.stderr) == (1, True, True)
    await close(traveller, state)
    before = await _rest(traveller, state)
    dry = await drawdown(system, "privacy", "erase", applicant)
    assert (dry.returncode, "dry run" in dry.stderr) == (0, True), dry.stdout
    assert await _rest(traveller, state) == before
    assert (await drawdown(system, "privacy", "erase", applicant, *signed)).returncode == 0

    seen = await traveller.get("intake", f"/v1/applications/{state['application_id']}")
    assert seen["erased_at"] is not None
    assert NUMBER[-4:] not in json.dumps(seen["applicant"]["account"])
    assert seen["applicant"]["contact"]["email"] is None
    content = await traveller.client.get(
        f"{system.urls['intake']}/v1/documents/{document}/content", headers=traveller._portal()
    )
    assert (content.status_code, content.json()["code"]) == (410, "document_erased")
    assert not list(system.config.home.documents.rglob(document))

    assert await _rest(traveller, state) == before, "amounts, decisions and states are as they were"
    replayed = await traveller.get("eligibility", f"/v1/assessments/{state['application_id']}")
    assert replayed["replay"]["identical"] is True
    assert (await drawdown(system, "audit", "verify")).returncode == 0
    assert json.loads((await drawdown(system, "reconcile", "--json")).stdout)["differences"] == []
    again = await drawdown(system, "privacy", "erase", applicant, *signed, "--json")
    assert again.returncode == 0, again.stderr
    changed = [part["erased"] for part in json.loads(again.stdout)]
    assert {rows for part in changed for name, rows in part.items() if name != "outside"} == {0}
    export = json.loads((await drawdown(system, "privacy", "export", applicant)).stdout)
    assert NUMBER not in json.dumps(export)
    audit = export["disbursement"]["privacy_audit"]
    assert [(line["who"], line["why"]) for line in audit if line["action"] == "erase"] == [("bea", "request 8")] * 2


async def _rest(traveller: Traveller, state: State) -> State:
    """Return what is neither account, contact nor document."""
    seen = await traveller.get("intake", f"/v1/applications/{state['application_id']}")
    return {name: value for name, value in seen.items() if name not in ("applicant", "erased_at")}


async def test_an_export_fails_when_a_service_is_away(traveller: Traveller) -> None:
    places = {f"DRAWDOWN_{name.upper()}_URL": url for name, url in traveller.system.urls.items()}
    environment = {**os.environ, **places, "DRAWDOWN_ELIGIBILITY_URL": "http://127.0.0.1:1"}
    command = ("-c", "from stack.cli import main; main()", "privacy", "export", "91440300708461136T")
    environment["DRAWDOWN_HOME"] = str(traveller.system.config.home.path)
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert (process.returncode, out) == (1, b"")
    assert b"eligibility does not answer" in err


async def test_keys_change_while_a_company_lives_its_life(traveller: Traveller) -> None:
    system = traveller.system
    living = asyncio.create_task(lived(traveller, 152))
    done = await drawdown(system, "privacy", "rotate", "--within", "50", "--json")
    assert done.returncode == 0, done.stderr
    newest, old = json.loads(system.config.home.keyring_file.read_text())["keys"]
    state, _ = await living
    assert [claim["status"] for claim in state["claims"]] == ["paid"]
    uses = json.loads((await drawdown(system, "privacy", "keys", "--json")).stdout)
    of_old = {use["table"] for use in uses if use["key_id"] == old["id"] and use["rows"]}
    assert of_old <= {"outbox", "idempotency"}
    assert {use["service"] for use in uses if use["key_id"] == newest["id"] and use["rows"]} == {
        "intake",
        "eligibility",
        "disbursement",
    }
    assert [use for use in uses if use["key_id"] is None] == []
    shown = await drawdown(system, "privacy", "keys")
    assert (shown.returncode, newest["id"] in shown.stdout) == (0, True)
    refused = await drawdown(system, "privacy", "drop-key", old["id"], "--yes")
    assert (refused.returncode, "is still used" in refused.stderr) == (1, True)
    assert places(await dump(system)) == []
