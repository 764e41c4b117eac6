"""What a request may refer to: documents that were uploaded by the same client and are not quarantined. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from contracts.common import DocumentReference
from contracts.policy import Policy
from contracts.refusal import Refusal
from intake import rules
from intake.records import Document

Known = Mapping[UUID, Document]


def named_in(body: Mapping[str, Any]) -> Iterable[UUID]:
    """Yield the documents that the body of a request names."""
    yield from (UUID(str(each)) for each in body.get("documents") or ())
    statement = (body.get("usage") or {}).get("statement")
    if statement is not None:
        yield UUID(str(statement))


def check(known: Known, documents: Iterable[Any], statement: Any = None) -> None:
    """Raise a Refusal that names the place of the first document that can't be referred to."""
    for position, each in enumerate(documents):
        _check_one(known, f"/documents/{position}", each)
    if statement is not None:
        _check_one(known, "/usage/statement", statement)


def _check_one(known: Known, pointer: str, identifier: Any) -> None:
    document = known.get(UUID(str(identifier)))
    if document is None:
        raise rules.unknown_document(pointer, identifier)
    if document.finding is not None:
        raise quarantined(pointer)


def check_evidence(policy: Policy, known: Known, documents: Iterable[Any]) -> None:
    """Raise a Refusal unless everything that the policy requires is there, by the kind it was uploaded as."""
    kinds = {known[UUID(str(each))].kind for each in documents}
    missing = next((asked for asked in policy.evidence if asked.required and asked.id not in kinds), None)
    if missing is not None:
        raise Refusal(
            "evidence_missing",
            f"/documents：缺少必需材料“{missing.text.zh}”，请上传并标注 kind={missing.id}。",
            f"/documents: {missing.text.en} is required. Upload it with kind={missing.id}, and name it here.",
            status=422,
            pointer="/documents",
        )


def told(known: Known, documents: Iterable[Any]) -> tuple[DocumentReference, ...]:
    """Return what an event says of documents: which, what they hash to, and as what they were uploaded."""
    found = (known[UUID(str(each))] for each in documents)
    return tuple(DocumentReference(one.document_id, one.sha256, one.media_type, one.kind) for one in found)


def erased() -> Refusal:
    return Refusal(
        "document_erased",
        "该文件的内容已按个人信息删除要求删除。",
        "The bytes of this document were erased with the personal data of its applicant.",
        status=410,
    )


def quarantined(pointer: str | None = None) -> Refusal:
    return Refusal(
        "document_quarantined",
        "该文件未通过安全检查，已隔离，不能使用。请上传另一份。",
        "The scanner found something in this file, and it is quarantined. Upload another one.",
        status=422 if pointer else 409,
        pointer=pointer,
    )


def confirmed_before() -> Refusal:
    return Refusal(
        "document_confirmed",
        "该文件已由另一服务方确认。",
        "Another provider has confirmed this document. Ask the applicant for the one that states your service.",
    )
