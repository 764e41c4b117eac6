"""Documents over HTTP: uploaded as a form, read back whole or from any byte on."""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Final
from urllib.parse import quote
from uuid import UUID

import msgspec
from fastapi import APIRouter, File, Form, Header, Request, Response, UploadFile
from fastapi.responses import StreamingResponse

from contracts.refusal import Refusal
from intake import queries, rules, views
from intake.api import shown
from intake.callers import READERS, client_of, viewer
from intake.commands import Command
from intake.documents import formats, references, upload
from intake.documents.noting import AddDocument, ConfirmDocument
from intake.documents.scanning import Scanner
from intake.documents.store import DocumentStore
from intake.records import Document
from intake.schemas import Slug
from kit.access import Access, Principal
from kit.database import Database
from kit.http import TRACEPARENT
from kit.idempotency import Answer, Key, request_hash
from kit.openapi import call
from kit.writes import IdempotencyKey, missing_key, response_of

PATH: Final = "/v1/documents"
LARGEST_BODY_BYTES: Final = upload.LARGEST_BYTES + 64 * 1024  # the form around the file
_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")
_CONTENT: Final = {media: {"schema": {"type": "string", "format": "binary"}} for media in formats.TAKEN}
_BYTES: Final = call(
    media=_CONTENT,
    headers=["ETag", "Content-Disposition", "Accept-Ranges"],
    refuses=[
        "document_not_found",
        "document_erased",
        "document_quarantined",
        "range_not_satisfiable",
        "documents_not_configured",
    ],
    more={206: {"description": "The part that was asked for", "content": _CONTENT}},
)
Sha256 = Annotated[
    str | None,
    Form(
        pattern="^[0-9a-fA-F]{64}$",
        description="SHA-256 of the file, in hex; checked if given",
        examples=["9f86d081884c7d659a2feaa0c55ad015" * 2],
    ),
]


class Library(msgspec.Struct, frozen=True):
    """What the calls need: where bytes are kept, who looks at them, and how a document is noted."""

    store: DocumentStore | None
    scanner: Scanner
    access: Access
    database: Callable[[], Database]
    submit: Callable[[Command], Awaitable[Answer]]

    @property
    def bytes(self) -> DocumentStore:
        if self.store is None:
            raise Refusal(
                "documents_not_configured",
                "本系统未配置文件存储。",
                "No place for documents is configured: the operator sets INTAKE_DOCUMENTS_URL.",
                status=503,
            )
        return self.store


def add(routes: APIRouter, library: Library) -> None:
    """Add the calls about documents."""
    _add_upload(routes, library)
    _add_confirmation(routes, library)
    _add_reads(routes, library)


def _add_upload(routes: APIRouter, library: Library) -> None:
    Sender = Annotated[Principal, library.access.principal("portal")]  # noqa: N806  # a type

    @routes.post(
        "/documents",
        tags=["documents"],
        summary="Upload evidence, at most 20 MiB",
        **call(
            shown.DocumentOut,
            status=201,
            headers=["Location"],
            refuses=[
                "document_too_large",
                "document_empty",
                "document_type_refused",
                "document_hash_differs",
                "documents_not_configured",
            ],
        ),
    )
    async def upload_document(
        request: Request,
        person: Sender,
        file: Annotated[UploadFile, File(description="PDF, image, XML or OFD invoice, CSV; told by its content")],
        kind: Annotated[Slug | None, Form(description="which evidence of the scheme it is, by its id")] = None,
        sha256: Sha256 = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        if idempotency_key is None:
            raise missing_key()
        client = client_of(person)
        sent = upload.Sent(name=(file.filename or "document")[:200].replace("\0", ""), kind=kind, sha256=sha256)
        document = await upload.take(library.bytes, library.scanner, file.file, sent, client)
        said = f"{document.sha256} {document.kind} {document.name}".encode()
        key = Key(client, idempotency_key, request_hash(request.method, request.url.path, said))
        command = AddDocument(key=key, traceparent=TRACEPARENT.get(), client=client, document=document)
        try:
            answer = await library.submit(command)
        except Refusal:
            await library.bytes.delete(document.document_id)
            raise
        if str(document.document_id).encode() not in answer.body:  # it was sent before: that one counts
            await library.bytes.delete(document.document_id)
        return response_of(answer)


def _add_confirmation(routes: APIRouter, library: Library) -> None:
    Provider = Annotated[Principal, library.access.principal("provider")]  # noqa: N806  # a type

    @routes.post(
        "/documents/{document_id}/confirmation",
        tags=["documents"],
        summary="As the provider (the token's subject is its USCC): what this document states of our service is true",
        **call(shown.DocumentOut, refuses=["document_not_found", "document_quarantined", "document_confirmed"]),
    )
    async def confirm_document(document_id: UUID, person: Provider) -> Response:
        command = ConfirmDocument(
            key=None, traceparent=TRACEPARENT.get(), client=person.subject, document_id=document_id
        )
        return response_of(await library.submit(command))


def _add_reads(routes: APIRouter, library: Library) -> None:
    Reader = Annotated[Principal, library.access.principal(*READERS, "provider")]  # noqa: N806  # a type

    async def find(document_id: UUID, person: Principal) -> Document:
        """Return a document; a provider may read any that it was given the id of, to confirm it."""
        async with library.database().reading() as connection:
            found = await queries.document(connection, document_id)
        sees_all = viewer(person) is None or "provider" in person.scopes
        if found is None or not (sees_all or found.client == client_of(person)):
            raise rules.not_found("document", document_id)
        return found

    @routes.get(
        "/documents/{document_id}",
        tags=["documents"],
        summary="What is known of a document",
        **call(shown.DocumentOut, refuses=["document_not_found"]),
    )
    async def get_document(document_id: UUID, person: Reader) -> Response:
        return Response(
            msgspec.json.encode(views.document(await find(document_id, person))), media_type="application/json"
        )

    @routes.get(
        "/documents/{document_id}/content",
        tags=["documents"],
        summary="Its bytes; takes a Range",
        response_class=Response,
        **_BYTES,
    )
    async def get_content(
        document_id: UUID,
        person: Reader,
        asked: Annotated[str | None, Header(alias="Range", description="such as bytes=1000-")] = None,
    ) -> Response:
        found = await find(document_id, person)
        if found.erased_at is not None:
            raise references.erased()
        if found.finding is not None:
            raise references.quarantined()
        start, length, status = _part(asked, found.size)
        headers = {
            "accept-ranges": "bytes",
            "content-length": str(length),
            "content-disposition": f"attachment; filename*=UTF-8''{quote(found.name)}",
            "etag": f'"{found.sha256}"',
            "x-content-type-options": "nosniff",
        }
        if status == 206:
            headers["content-range"] = f"bytes {start}-{start + length - 1}/{found.size}"
        pieces = library.bytes.read(document_id, start, length)
        return StreamingResponse(pieces, status, headers, media_type=found.media_type)


def _part(asked: str | None, size: int) -> tuple[int, int, int]:
    """Return start, length and status of what is answered (RFC 9110, section 14): one range, else the whole."""
    found = _RANGE.fullmatch(asked.strip()) if asked else None
    if found is None or not any(found.groups()):
        return 0, size, 200
    first, last = found.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    if start > end:
        raise Refusal(
            "range_not_satisfiable",
            f"文件共 {size} 字节，所请求的范围不存在。",
            f"The document has {size} bytes: there is no such range.",
            status=416,
            headers={"content-range": f"bytes */{size}"},
        )
    return start, end - start + 1, 206
