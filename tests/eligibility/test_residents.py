"""Residents of accredited communities: who is accredited counts when it is decided, and month by month when claimed."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from contracts.common import Request, Usage
from contracts.events import ApplicationSubmitted, ClaimRejected, ClaimVerified, Event
from contracts.money import Money
from eligibility.policies import read_document
from eligibility.publication import publish
from kit.database import Database
from tests.eligibility.office import Office
from tests.eligibility.persons import Persons, process
from tests.eligibility.registers import FakeRegisters
from tests.eligibility.scenes import FEN, POLICIES, application, claim, company

COMMUNITY = "91440300MA5KKKKK3C"
RESIDENT = "91440300MA5LLLLL4D"
BUILDING = {"area_m2": 12_000, "address": "南山区示例路1号"}
CALENDAR = ZoneInfo("Asia/Shanghai")


@pytest.fixture
async def persons(database: Database) -> AsyncIterator[Persons]:
    async with process(database) as persons:
        yield persons


@pytest.fixture
async def schemes(database: Database, registers: FakeRegisters) -> FakeRegisters:
    """The programme's own documents; the register knows both as active companies of Nanshan."""
    await publish(database, [read_document(POLICIES / f"{name}.yaml") for name in ("opc-community", "opc-startup")])
    known = {"status": "active", "found": True, "district": "nanshan", "opc": True, "registered_on": "2025-05-06"}
    registers.answer("business_registration", known)
    return registers


def asked(scheme: str, applicant: str, yuan: int, details: dict[str, Any]) -> ApplicationSubmitted:
    policy = read_document(POLICIES / f"{scheme}.yaml").policy
    return application(
        applicant,
        scheme=scheme,
        policy_version=policy.version,
        company=company(applicant, opc=True, headcount=1, registered_on=date(2025, 5, 6)),
        request=Request(money=Money(yuan * FEN), details=details),
        submitted_at=datetime.now(UTC),
    )


async def approved(office: Office, persons: Persons, submitted: ApplicationSubmitted) -> None:
    await office.submit(submitted)
    await office.assess()
    held = await office.find(submitted)
    for person in ("anna", "bo", "carl"):
        if held.outcome is None:
            await persons.decide((await persons.task(submitted.application_id, by="auditor"))["task_id"], person)
            await office.assess()
            held = await office.find(submitted)
    assert held.outcome == "approved", held.reasons


async def claimed(office: Office, by: ApplicationSubmitted, part: str, **details: Any) -> Event:
    now = datetime.now(UTC)
    first_day = now.astimezone(CALENDAR).date().replace(day=1)  # the programme's month, not that of UTC
    usage = Usage(first_day, first_day) if part != "start" else None
    await office.submit(claim(by, milestone=part, usage=usage, details=details, submitted_at=now))
    return (await office.announced())[-1]


async def test_monthly_support_ends_with_the_communitys_accreditation(
    office: Office, database: Database, persons: Persons, schemes: FakeRegisters
) -> None:
    place = asked("opc-community", COMMUNITY, 0, BUILDING)
    await approved(office, persons, place)
    resident = asked("opc-startup", RESIDENT, 110_000, {"community": COMMUNITY})
    await approved(office, persons, resident)
    assert isinstance(await claimed(office, resident, "workspace"), ClaimVerified)

    schemes.answer("business_registration", {"status": "revoked", "found": True, "district": "nanshan"})
    reasons = {"reasons": {"zh-CN": "执照已吊销", "en": "Its licence was revoked"}}
    await persons.post(f"/v1/assessments/{place.application_id}/reassessment", reasons)
    assert isinstance(await claimed(office, resident, "housing"), ClaimVerified)  # what was decided stands until then
    await office.assess()
    assert (await office.find(place)).outcome == "rejected"

    refused = await claimed(office, msgspec.structs.replace(resident), "housing")
    assert isinstance(refused, ClaimRejected)
    assert {reason.code for reason in refused.reasons if reason.outcome == "not_met"} >= {"resident"}
    elsewhere = await claimed(office, resident, "workspace", community="91440300MA5MMMMM5E")
    assert isinstance(elsewhere, ClaimRejected)


async def test_nobody_starts_in_a_community_that_is_not_accredited(
    office: Office, database: Database, persons: Persons, schemes: FakeRegisters
) -> None:
    resident = asked("opc-startup", RESIDENT, 110_000, {"community": COMMUNITY})
    await office.submit(resident)
    await office.assess()
    held = await office.find(resident)
    assert held.outcome == "rejected"
    assert {reason.code for reason in held.reasons or () if reason.outcome == "not_met"} == {"community-accredited"}
