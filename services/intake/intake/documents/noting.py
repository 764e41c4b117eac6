"""A document is noted once its bytes are kept; a provider stands behind it."""

from uuid import UUID

import msgspec

from intake import rules, views
from intake.desk import Desk
from intake.documents import references
from intake.records import Document
from kit.idempotency import Answer, Key


class AddDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Note a document whose bytes are kept."""

    key: Key | None
    traceparent: str | None
    client: str
    document: Document


class ConfirmDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Stand behind a document, as the provider whose service it states."""

    key: Key | None
    traceparent: str | None
    client: str
    document_id: UUID


def add_document(desk: Desk, command: AddDocument) -> Answer:
    """Note an uploaded document; answer 201 with what is known of it."""
    desk.keep(command.document)
    place = {"location": f"/v1/documents/{command.document.document_id}"}
    return Answer(201, msgspec.json.encode(views.document(command.document)), place)


def confirm_document(desk: Desk, command: ConfirmDocument) -> Answer:
    """Note that a provider stands behind a document; the same provider may say so again."""
    document = desk.documents.get(command.document_id)
    if document is None:
        raise rules.not_found("document", command.document_id)
    if document.finding is not None:
        raise references.quarantined()
    if document.confirmed_by not in (None, command.client):
        raise references.confirmed_before()
    if document.confirmed_by is None:
        desk.confirm(document, command.client)
    return Answer(200, msgspec.json.encode(views.document(document)))
