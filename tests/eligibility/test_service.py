"""The service as a process: set up, run, killed, doubled, stopped, on its own Kafka and the real database."""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from contracts.events import (
    ApplicationApproved,
    ApplicationEvent,
    ApplicationRejected,
    ApplicationSubmitted,
    ClaimRejected,
    ClaimVerified,
    Event,
    PolicyPublished,
    ReviewOpened,
)
from eligibility.policies import read_documents
from kit.database import Database
from kit.messages import Message
from stack import keyring
from stack.home import Home, open_home
from stack.kafka import Kafka, running
from stack.kafkadata import NodePorts
from stack.ports import free_ports
from stack.postgres import Postgres
from tests.eligibility.processes import Process, publish, read
from tests.eligibility.registers import FakeRegisters
from tests.eligibility.scenes import POLICIES, application, claim, invoice, withdrawn
from tests.kit.issuer import NAME, Issuer, bearing

DECISIONS = ["eligibility.decisions"]


@pytest.fixture(scope="module")
async def own_kafka(migrated: Database) -> AsyncIterator[Kafka]:
    """Kafka that no other test writes to: the service reads `intake.applications` from its beginning."""
    async with migrated.transaction() as connection:
        await connection.execute(text("DELETE FROM consumer_offset"))
    home = open_home(Path(tempfile.mkdtemp(prefix="drawdown-eligibility-")))
    async with running(home, [NodePorts(*free_ports(2))]) as cluster:
        yield cluster
    shutil.rmtree(home.path)


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    issuer = Issuer()
    issuer.come()
    yield issuer
    await issuer.go()


@pytest.fixture
def environment(
    database: Database, postgres: Postgres, own_kafka: Kafka, registers: FakeRegisters, issuer: Issuer, stack_home: Home
) -> dict[str, str]:
    keyring.create(stack_home)
    return {
        "KEYRING_FILE": str(stack_home.keyring_file),
        "ACCESS_ISSUER": NAME,
        "ACCESS_JWKS_URL": issuer.url,
        "DATABASE_URL": postgres.dsn("eligibility"),
        "MIGRATION_DATABASE_URL": postgres.owner_dsn("eligibility"),
        "KAFKA_BOOTSTRAP": own_kafka.bootstrap,
        "POLICIES_DIR": str(POLICIES),
        "REGISTERS_URL": registers.url,
        "ASSESSOR_LEASE_SECONDS": "5",
        "ASSESSOR_GROUP_SIZE": "20",
        "REGISTER_ANSWER_AGE_SECONDS": "0",
    }


def applications(count: int, start: int) -> list[ApplicationSubmitted]:
    return [application(f"91440300MA{number:08d}") for number in range(start, start + count)]


async def test_killed_and_doubled_each_application_is_decided_once(
    environment: dict[str, str], own_kafka: Kafka, registers: FakeRegisters, issuer: Issuer
) -> None:
    submitted = applications(150, 1000)
    registers.answer("credit_record", {"blacklisted": True}, code=submitted[7].applicant)
    registers.delay_seconds = 0.02
    with Process(environment) as first:
        await first.until_ready()
        await publish(own_kafka.bootstrap, submitted[:80])
        await registers.until_asked(30)
        first.kill()
    with Process(environment) as second, Process(environment) as third:
        await publish(own_kafka.bootstrap, submitted[80:])
        await asyncio.gather(second.until_ready(), third.until_ready())
        messages = await read(own_kafka.bootstrap, DECISIONS, enough=150, quiet_seconds=2.0)
        path = f"/v1/assessments/{submitted[7].application_id}"
        shown = (await second.get(path, bearing(issuer, "auditor"))).json()
        metrics = (await third.get("/metrics")).text
        assert [await second.stop(), await third.stop()] == [0, 0]
    # A relay that is killed between sending and noting it sends again: the same event, under the same id.
    messages = list({message.id: message for message in messages}.values())
    decided = Counter(application_of(message) for message in messages)
    assert decided == Counter({one.application_id: 1 for one in submitted})
    kinds = Counter(type(message.data) for message in messages)
    assert kinds == {ApplicationApproved: 149, ApplicationRejected: 1}
    assert (shown["outcome"], shown["replay"]["identical"]) == ("rejected", True)
    assert "drawdown_register_lookup_seconds_bucket" in metrics


async def test_claims_and_an_outage_go_their_way(
    environment: dict[str, str], own_kafka: Kafka, registers: FakeRegisters
) -> None:
    one, gone = applications(2, 5000)
    before = len(await read(own_kafka.bootstrap, DECISIONS, enough=0))
    registers.fail("business_registration")
    with Process(environment) as process:
        await process.until_ready()
        await publish(own_kafka.bootstrap, [one, gone])
        await read(own_kafka.bootstrap, DECISIONS, enough=before + 2)
        await publish(own_kafka.bootstrap, [withdrawn(gone)])
        registers.reset()
        await read(own_kafka.bootstrap, DECISIONS, enough=before + 3)
        await publish(own_kafka.bootstrap, [claim(one, invoice("1"), invoice("2")), claim(one, invoice("2"))])
        messages = await read(own_kafka.bootstrap, DECISIONS, enough=before + 5)
        assert await process.stop() == 0
    assert kinds_of(messages, one) == [ReviewOpened, ApplicationApproved, ClaimVerified, ClaimRejected]
    assert ApplicationApproved not in kinds_of(messages, gone)


def kinds_of(messages: list[Message], submitted: ApplicationSubmitted) -> list[type[Event]]:
    """Return which events speak of this application, in their order."""
    return [type(message.data) for message in messages if application_of(message) == submitted.application_id]


def application_of(message: Message) -> UUID:
    assert isinstance(message.data, ApplicationEvent)
    return message.data.application_id


async def test_policies_are_on_their_topic_and_a_restart_adds_none(
    environment: dict[str, str], own_kafka: Kafka
) -> None:
    topic = ["eligibility.policies"]
    with Process(environment) as process:
        await process.until_ready()
        before = await read(own_kafka.bootstrap, topic, enough=1)
        assert await process.stop() == 0
    with Process(environment) as process:
        await process.until_ready()
        after = await read(own_kafka.bootstrap, topic, enough=1)
        assert await process.stop() == 0
    assert [message.id for message in after] == [message.id for message in before]
    published = {one.policy.scheme for one in read_documents(POLICIES) if one.policy.status == "published"}
    assert {message.key for message in after} == published >= {"compute-voucher"}
    assert all(isinstance(message.data, PolicyPublished) for message in after)


# --- a wrong set-up is one line ------------------------------------------------------------------------------


async def test_a_changed_policy_is_refused_with_exit_78(environment: dict[str, str], tmp_path: Path) -> None:
    written = (POLICIES / "compute-voucher.yaml").read_text()
    (tmp_path / "compute-voucher.yaml").write_text(written.replace("rate: 6000", "rate: 5000"))
    with Process(environment | {"POLICIES_DIR": str(tmp_path)}) as process:
        assert await process.ended() == 78
        said = process.output()
    assert "compute-voucher 2026.1 was published with another text" in said.splitlines()[-1]
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"REGISTERS_URL": "localhost"}, "ELIGIBILITY_REGISTERS_URL"),
        ({"POLICIES_DIR": "nowhere"}, "nowhere is no directory"),
        ({"ASSESSOR_GROUP_SIZE": "many"}, "ELIGIBILITY_ASSESSOR_GROUP_SIZE"),
        ({"DATABASE_URL": "mysql://"}, "ELIGIBILITY_DATABASE_URL"),
    ],
)
async def test_a_wrong_setting_is_one_line_with_exit_78(
    environment: dict[str, str], changed: dict[str, str], said: str
) -> None:
    with Process(environment | changed) as process:
        assert await process.ended() == 78
        output = process.output()
    assert said in output
    assert len(output.splitlines()) == 1


async def test_without_the_database_it_says_so_and_waits(environment: dict[str, str]) -> None:
    with Process(environment | {"DATABASE_URL": "postgresql://nobody:x@127.0.0.1:1/eligibility"}) as process:
        await process.until_listening()
        answer = await process.get("/health/ready")
        assert answer.status_code == 503
        assert "PostgreSQL" in str(answer.json()["missing"])
        assert await process.stop() == 0
