"""A client that a generator makes of intake's own document walks an application from its draft to a claim.

Intake is a process on real PostgreSQL and Kafka; what the other services say comes to it over the topics.
"""

import asyncio
import importlib
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from contracts.topics import TOPICS
from kit.database import Database
from stack import keyring
from stack.home import Home
from stack.kafka import Kafka
from stack.postgres import Postgres
from tests.eligibility.processes import publish
from tests.intake.scenes import USCC, application, approval_of, award_of, claim
from tests.kit import broker
from tests.kit.issuer import AUDIENCE, NAME, Issuer
from tests.kit.processes import PATIENCE_SECONDS, Process

PACKAGE = "drawdown_intake_client"


@pytest.fixture
async def intake(
    empty_database: Database, postgres: Postgres, kafka: Kafka, issuer: Issuer, stack_home: Home
) -> AsyncIterator[Process]:
    keyring.create(stack_home)
    await broker.start_at(empty_database, "intake", await broker.ends_of(kafka.bootstrap, TOPICS))
    settings = {
        "DATABASE_URL": postgres.dsn("intake"),
        "KAFKA_BOOTSTRAP": kafka.bootstrap,
        "ACCESS_ISSUER": NAME,
        "ACCESS_JWKS_URL": issuer.url,
        "ACCESS_AUDIENCE": AUDIENCE,
        "KEYRING_FILE": str(stack_home.keyring_file),
    }
    with Process("INTAKE", ["intake", "run"], settings) as process:
        await eventually(lambda: process.answers("/health/ready"))
        yield process


async def eventually(happens: Callable[[], Any]) -> Any:
    """Return what it gives, once that is something."""
    for _ in range(PATIENCE_SECONDS * 10):
        if found := await happens():
            return found
        await asyncio.sleep(0.1)  # a stranger has nothing to await: it looks again
    raise AssertionError("it never happens")


@pytest.fixture
async def generated(intake: Process, tmp_path: Path) -> AsyncIterator[str]:
    """The client's package, made of what the running service hands out; a warning of the generator is an error."""
    document, target = tmp_path / "openapi.json", tmp_path / PACKAGE
    document.write_bytes((await intake.get("/openapi.json")).content)
    settings = tmp_path / "generator.json"
    settings.write_text(json.dumps({"package_name_override": PACKAGE, "post_hooks": []}))
    made = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none", "--fail-on-warning"]
    made += ["--path", str(document), "--output-path", str(target), "--config", str(settings)]
    done = await asyncio.to_thread(subprocess.run, made, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(tmp_path))
    yield PACKAGE
    sys.path.remove(str(tmp_path))
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]


class Client:
    """The generated functions by their operation ids."""

    def __init__(self, package: str, url: str, token: str) -> None:
        self._package = package
        self.models = importlib.import_module(f"{package}.models")
        self.connection = importlib.import_module(f"{package}.client").AuthenticatedClient(
            base_url=url, token=token, headers={"accept-language": "en"}, timeout=httpx.Timeout(30)
        )

    async def call(self, tag: str, operation: str, *identifiers: UUID, expected: int = 200, **arguments: Any) -> Any:
        """Call an operation; return what the client made of the answer."""
        module = importlib.import_module(f"{self._package}.api.{tag}.{operation}")
        answer = await module.asyncio_detailed(*identifiers, client=self.connection, **arguments)
        assert answer.status_code == expected, answer.content
        return answer.parsed


@pytest.fixture
async def client(generated: str, intake: Process, issuer: Issuer) -> AsyncIterator[Client]:
    client = Client(generated, intake.url, issuer.token("portal", exp=int(time.time()) + 600))
    async with client.connection:
        yield client


async def test_a_generated_client_walks_an_application_through_its_life(client: Client, kafka: Kafka) -> None:
    models = client.models
    schemes = await client.call("schemes", "list_schemes")
    assert "test-voucher" in {scheme.scheme for scheme in schemes.items}  # the topics hold other tests' policies too

    sent = models.NewApplication.from_dict(application(submit=False))
    draft = await client.call(
        "applications", "create_application", body=sent, idempotency_key=str(uuid4()), expected=201
    )
    assert (draft.status, draft.applicant.uscc) == ("draft", USCC)

    parts = models.ChangedDraft.from_dict({"applicant": application(**{"applicant.headcount": 99})["applicant"]})
    one = draft.application_id
    await client.call("applications", "change_draft", one, body=parts, if_match=f'"{draft.version}"')
    stale = await client.call("applications", "change_draft", one, body=parts, if_match='"1"', expected=412)
    assert (type(stale).__name__, stale.code) == ("Problem", "stale")

    submitted = await client.call("applications", "submit_application", one)
    assert (submitted.status, submitted.applicant.headcount) == ("submitted", 99)
    found = await client.call("applications", "list_applications", applicant=USCC, status=submitted.status)
    assert [item.application_id for item in found.items] == [one]

    told = submitted.to_dict()
    award = award_of(told)
    await publish(kafka.bootstrap, [approval_of(told), award])

    async def awarded() -> Any:
        state = await client.call("applications", "get_application", one)
        return state if state.status == "awarded" else None

    state = await eventually(awarded)
    assert (state.award.award_id, state.award.rest.amount) == (award.award_id, 60_000_000)

    body = models.NewClaim.from_dict(claim(f"F-{uuid4().hex[:8]}"))
    made = await client.call(
        "claims", "create_claim", award.award_id, body=body, idempotency_key=str(uuid4()), expected=201
    )
    assert made.status == "submitted"
    assert (await client.call("claims", "get_claim", made.claim_id)).to_dict() == made.to_dict()
    timeline = await client.call("applications", "get_timeline", one)
    assert [line.type_ for line in timeline.items][-1] == "claim.submitted"
