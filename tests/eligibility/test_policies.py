"""Policy documents: what is read, what is refused and in which words, what is published and how often."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.events import PolicyPublished
from contracts.policy import Clocks, Deadline
from eligibility.expressions import compile_policy
from eligibility.policies import Document, parse_document, read_document, read_documents
from eligibility.publication import publish
from kit.database import Database
from kit.errors import SetupError
from tests.eligibility.scenes import POLICIES, POLICY

WRITTEN = (POLICIES / "compute-voucher.yaml").read_text()


TWO_TIERS = """rate: 6000
tiers:
  - {id: a1, clause: a, rate: 1, text: &text {zh-CN: a, en: a}}
  - {id: a2, clause: a, rate: 2, text: *text}"""


def edited(tmp_path: Path, *edits: tuple[str, str]) -> Path:
    """Return the real document with these words replaced."""
    document = WRITTEN
    for old, new in edits:
        assert old in document
        document = document.replace(old, new, 1)
    path = tmp_path / "compute-voucher.yaml"
    path.write_text(document)
    return path


def test_the_documents_of_the_programme_are_right() -> None:
    documents = read_documents(POLICIES)
    assert ("compute-voucher", "2026.1") in {(one.policy.scheme, one.policy.version) for one in documents}
    assert all(len(one.content_hash) == 64 for one in documents)


def test_a_document_says_its_own_deadlines_and_the_rest_stand_by_default(tmp_path: Path) -> None:
    path = edited(tmp_path, ("waitlist: whole", "waitlist: whole\nclocks: {registers: {within: PT6H, then: escalate}}"))
    clocks = read_document(path).policy.clocks
    assert clocks == msgspec.structs.replace(Clocks(), registers=Deadline(timedelta(hours=6), "escalate"))


BAD = [
    ("a rate above 100 %", ("rate: 6000", "rate: 10001"), "$.rate"),
    ("a rate with a fraction", ("rate: 6000", "rate: 60.5"), "$.rate"),
    ("negative fen", ("amount: 1000000000", "amount: -1"), "$.cap.amount"),
    ("money over 2^53", ("amount: 1000000000", "amount: 9007199254740992"), "$.cap.amount"),
    ("another currency", ("currency: CNY", "currency: USD"), "$.cap.currency"),
    (
        "a field that does not exist",
        ("waitlist: whole", "waitlst: whole"),
        "compute-voucher.yaml:23:1: $.waitlst: there is no such field; did you mean waitlist?",
    ),
    (
        "a wrong type deep in a list",
        ('clause: "4.2"', "clause: 42"),
        "$.criteria[4].clause: Expected `str`, got `int`",
    ),
    (
        "a misspelled field behind what decides alone",
        ("provider.listed && 'compute' in provider.services", "provider.listed && 'compute' in provider.servces"),
        "$.criteria[3].expression: provider has no field servces; there are",
    ),
    (
        "a tier that is never reached",
        ("rate: 6000", TWO_TIERS),
        "$.tiers[1]: is never reached: a1",
    ),
    (
        "a form that is no JSON Schema",
        ("type: object\n", "type: objct\n"),
        "$.form.type: 'objct' is not valid",
    ),
    (
        "a form whose example is no answer to it",
        ("  properties: {}", "  properties: {}\n  required: [area]\n  examples: [{}]"),
        "$.form.examples[0]: 'area' is a required property",
    ),
    (
        "parts without their basis",
        ("  usage_required: true", "  usage_required: true\n  basis: parts"),
        "$.claims.parts: belong to the basis `parts`",
    ),
    (
        "a seller without a contract",
        ("rate: 6000", "rate: 6000\ncontract: none"),
        "$.claims.seller_is_provider: there is no contract",
    ),
    ("a missing field", ("rate: 6000\n", ""), "rate"),
    ("a text in one language", (", en: Compute voucher}", "}"), "$.title"),
    ("a field twice", ("rate: 6000", "rate: 6000\nrate: 5000"), "rate stands 2 times"),
    ("no YAML", ("rate: 6000", "rate: [6000"), "compute-voucher.yaml"),
    ("a time zone that is not", ("Asia/Shanghai", "Asia/Shangai"), "timezone"),
    ("an end before the beginning", ("effective_until: 2027", "effective_until: 2025"), "effective_until"),
    ("a window that closes first", ('closes_at: "2028', 'closes_at: "2025'), "windows[0]"),
    ("a criterion twice", ("id: in-operation", "id: registered"), "28:1: $.criteria: 2 are called registered"),
    (
        "an expression that does not parse",
        ("business_registration.found\n", "business_registration.found ==\n"),
        "$.criteria[0].expression",
    ),
    ("an unknown name", ("business_registration.found\n", "busines_registration.found\n"), "nothing is called busines"),
    (
        "an unknown field",
        ("!credit_record.blacklisted", "!credit_record.blackliste"),
        "$.criteria[2].expression: credit_record has no field blackliste; there are blacklisted",
    ),
    (
        "an expression of another type",
        ("!credit_record.blacklisted", "[credit_record].size()"),
        "$.criteria[2].expression: gives int",
    ),
    (
        "a type error",
        ("!credit_record.blacklisted", "credit_record.blacklisted < 3"),
        "$.criteria[2].expression: No such overload",
    ),
    ("a register that is not declared", ("facts: [credit_record]", "facts: []"), "$.criteria[2].facts: must list"),
    (
        "a register that is not used",
        ("facts: [provider]", "facts: [provider, credit_record]"),
        "$.criteria[3].facts: must list",
    ),
    (
        "a clock that does not exist",
        ("waitlist: whole", "waitlist: whole\nclocks: {drafts: {within: P1D, then: lapse}}"),
        "drafts",
    ),
    (
        "a time that is none",
        ("waitlist: whole", "waitlist: whole\nclocks: {draft: {within: 30 days, then: lapse}}"),
        "$.clocks.draft.within",
    ),
    (
        "a deadline at once",
        ("waitlist: whole", "waitlist: whole\nclocks: {draft: {within: PT0S, then: lapse}}"),
        "$.clocks.draft.within: more than nothing",
    ),
    (
        "a step that can't follow",
        ("waitlist: whole", "waitlist: whole\nclocks: {payment: {within: P1D, then: lapse}}"),
        "$.clocks.payment.then: one of ask_finance, remind",
    ),
    ("a function that is not", ("!credit_record.blacklisted", "frob(credit_record)"), "$.criteria[2].expression"),
]


@pytest.mark.parametrize(("what", "edit", "said"), BAD, ids=[case[0] for case in BAD])
def test_a_wrong_document_is_refused_in_one_line(tmp_path: Path, what: str, edit: tuple[str, str], said: str) -> None:
    with pytest.raises(SetupError) as refused:
        read_document(edited(tmp_path, edit))
    assert said in str(refused.value)
    assert "compute-voucher.yaml" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_names_bound_by_a_macro_are_known(tmp_path: Path) -> None:
    path = edited(tmp_path, ("!credit_record.blacklisted", "[1, 2].all(n, n > 0) || credit_record.blacklisted"))
    assert read_document(path).policy


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="nowhere"):
        read_documents(tmp_path / "nowhere")


def test_two_documents_of_one_version_are_refused(tmp_path: Path) -> None:
    edited(tmp_path)
    (tmp_path / "copy.yaml").write_text(WRITTEN)
    with pytest.raises(SetupError, match="2 documents"):
        read_documents(tmp_path)


def test_the_programme_is_no_scheme_and_versions_come_in_order_of_effect(tmp_path: Path) -> None:
    later = (("effective_from: 2026-01-01", "effective_from: 2026-07-01"), ('"2026.1"', '"2026.2"\nreplaces: "2026.1"'))
    edited(tmp_path, *later)
    (tmp_path / "older.yaml").write_text(WRITTEN)
    (tmp_path / "programme.yaml").write_text("pools: []")
    assert [one.policy.version for one in read_documents(tmp_path)] == ["2026.1", "2026.2"]


@pytest.mark.parametrize(
    "edits",
    [
        (('"2026.1"', '"2026.2"'), ("effective_from: 2026-01-01", "effective_from: 2026-07-01")),
        (('"2026.1"', '"2026.2"\nreplaces: "2026.1"'),),
        (('"2026.1"', '"2026.2"\nreplaces: "2025.9"'), ("effective_from: 2026-01-01", "effective_from: 2026-07-01")),
    ],
    ids=["later, but replaces nothing", "replaces, but begins the same day", "replaces another"],
)
def test_versions_in_force_at_the_same_time_are_refused(tmp_path: Path, edits: tuple[tuple[str, str], ...]) -> None:
    edited(tmp_path, *edits)
    (tmp_path / "older.yaml").write_text(WRITTEN)
    with pytest.raises(SetupError, match=r"\$\.effective_from: version .* is in force from .* which overlaps"):
        read_documents(tmp_path)


def test_the_hash_is_of_what_is_said_not_of_how_it_is_laid_out(tmp_path: Path) -> None:
    plain = read_document(POLICIES / "compute-voucher.yaml").content_hash
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(yaml.safe_load(WRITTEN), allow_unicode=True))
    assert read_document(tmp_path / "a.yaml").content_hash == plain
    assert read_document(edited(tmp_path, ("rate: 6000", "rate: 5999"))).content_hash != plain


@pytest.mark.parametrize(
    ("expression", "facts", "holds"),
    [
        ("credit_record.blacklisted", {"credit_record": {"blacklisted": True}}, True),
        ("credit_record.blacklisted", {"credit_record": {"blacklisted": "yes"}}, None),
        ("credit_record.blacklisted", {"credit_record": {}}, None),
        ("credit_record.blacklisted", {}, None),
        ("request.money.amount / 0 == 1", {"request": {"money": {"amount": 1}}}, None),
        ("request.money.amount <= 9007199254740991", {"request": {"money": {"amount": 2**53 - 1}}}, True),
        ("company.registered_on < '2025-01-01'", {"company": {"registered_on": "2024-05-06"}}, True),
    ],
)
def test_what_can_not_be_evaluated_is_not_known(expression: str, facts: dict[str, Any], holds: bool | None) -> None:
    criterion = msgspec.structs.replace(POLICY.criteria[0], expression=expression)
    policy = msgspec.structs.replace(POLICY, criteria=(criterion,))
    assert compile_policy(policy).evaluate(facts) == {criterion.id: holds}


# --- publication -------------------------------------------------------------------------------------------


async def published(connection: AsyncConnection) -> list[PolicyPublished]:
    rows = await connection.execute(text("SELECT data FROM outbox WHERE type = 'drawdown.policy.published.v1'"))
    return [msgspec.json.decode(data, type=PolicyPublished) for data in rows.scalars()]


def document(content_hash: str = "h", **changes: Any) -> Document:
    return Document("a.yaml", msgspec.structs.replace(POLICY, scheme="another", **changes), content_hash)


async def test_a_version_is_published_once_however_many_start(database: Database) -> None:
    await asyncio.gather(*(publish(database, [document()]) for _ in range(4)))
    await publish(database, [document()])
    async with database.reading() as connection:
        events = [event for event in await published(connection) if event.scheme == "another"]
    assert len(events) == 1
    assert events[0].policy == document().policy
    assert events[0].policy_version == POLICY.version


async def test_a_changed_text_under_the_same_version_is_refused(database: Database) -> None:
    await publish(database, [document()])
    with pytest.raises(SetupError, match=r"a\.yaml: another 2026\.1 was published with another text"):
        await publish(
            database,
            [Document("b.yaml", msgspec.structs.replace(POLICY, scheme="a-third"), "h"), document("changed", rate=1)],
        )
    async with database.reading() as connection:
        schemes = (await connection.execute(text("SELECT scheme FROM policies ORDER BY 1"))).scalars().all()
    assert schemes == ["another", "compute-voucher"]  # nothing of the refused set


async def test_a_draft_is_recorded_nowhere(database: Database) -> None:
    await publish(database, [document(status="draft")])
    async with database.reading() as connection:
        assert [event.scheme for event in await published(connection)] == ["compute-voucher"]


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("[" * 5000, "nested too deep"),
        ("{a: " * 3000, "nested too deep"),
        (WRITTEN.replace("form:", 'form:\n  description: "a\\0b"', 1), "U[+]0000"),
    ],
)
def test_a_document_that_can_not_be_kept_is_refused(written: str, says: str) -> None:
    with pytest.raises(SetupError, match=says):
        parse_document("document", written)
