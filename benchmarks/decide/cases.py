"""What is decided: applications of the simulated companies under every published scheme, with facts of all kinds."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec

from contracts.common import Account, Company, Request
from contracts.events import ApplicationSubmitted
from eligibility.expressions import compile_policy
from eligibility.policies import read_documents
from eligibility.rules import Rulebook
from stack.simulators import bodies, wishes
from stack.simulators.asks import Ask
from stack.simulators.season import season_asks

POLICIES: Final = Path(__file__).parents[2] / "policies"
NOW: Final = datetime(2026, 10, 1, 4, tzinfo=UTC)
SEED: Final = 1


class Case(msgspec.Struct, frozen=True):
    """One application with its facts, and the rulebook of its scheme."""

    book: Rulebook
    application: ApplicationSubmitted
    facts: dict[str, dict[str, Any]]


def cases(companies: int) -> list[Case]:
    """Return what so many companies ask for under the compute voucher, and some under every other scheme."""
    books = {
        document.policy.scheme: compile_policy(document.policy)
        for document in read_documents(POLICIES)
        if document.policy.status == "published"
    }
    return [_case(books, number, asked) for number, asked in enumerate(_asks(companies))]


def _asks(companies: int) -> Iterator[Ask]:
    yield from season_asks(SEED, companies, NOW.date())
    yield from wishes.communities(SEED, NOW.date())
    yield from wishes.competitors(SEED, NOW.date())
    yield from wishes.others(SEED, NOW.date())


def _case(books: dict[str, Rulebook], number: int, asked: Ask) -> Case:
    body = bodies.application(asked, submit=True)
    book = books[body["scheme"]]
    request = {**body["request"], "money": body["request"]["money"] or bodies.money(0)}
    company = asked.company
    application = ApplicationSubmitted(
        occurred_at=NOW,
        application_id=UUID(int=number),
        scheme=body["scheme"],
        applicant=company.uscc,
        number=f"XX-2026-{number:06d}",
        district=company.district,
        policy_version=book.policy.version,
        company=Company(
            uscc=company.uscc,
            name=company.name,
            district=company.district,
            registered_on=company.registered_on,
            chain=company.chain,
            headcount=company.headcount,
            opc=company.opc,
            account=Account(company.name, company.account_number, company.bank_code),
        ),
        request=msgspec.convert(request, Request),
        submitted_at=NOW,
    )
    return Case(book, application, _facts(number, application))


def _facts(number: int, application: ApplicationSubmitted) -> dict[str, dict[str, Any]]:
    """One company in ten is dissolved, one in ten in breach of trust; the others meet everything."""
    draw = random.Random(f"facts {number}")
    contract = application.request.contract
    return {
        "business_registration": {
            "found": True,
            "status": "dissolved" if draw.random() < 0.1 else "active",
            "registered_on": application.company.registered_on.isoformat(),
            "district": application.district,
        },
        "credit_record": {"blacklisted": draw.random() < 0.1},
        "related_companies": {"group": application.applicant, "members": [application.applicant]},
        **({"provider": {"listed": True, "services": ["compute", "model", "corpus"]}} if contract else {}),
        "community": {"accredited": True},
    }
