"""An upload: looked at, scanned, kept, and only then noted. What fails on the way leaves nothing that can be named."""

import asyncio
import hashlib
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, Final
from uuid import UUID

import msgspec
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.refusal import Refusal
from intake import tables
from intake.documents import formats
from intake.documents.scanning import Scanner
from intake.documents.store import DocumentStore
from intake.records import Document
from kit.backoff import wait
from kit.database import Database, describe
from kit.errors import TransientError
from kit.identifiers import uuid7
from kit.logging import get_logger

log = get_logger(__name__)

LARGEST_BYTES: Final = 20 * 1024 * 1024
_CHUNK: Final = 256 * 1024
_SWEEP_SECONDS: Final = 3600.0
_UNNAMED_FOR: Final = timedelta(days=1)
_MIB: Final = 1024 * 1024


class Sent(msgspec.Struct, frozen=True):
    """What a client says of its file."""

    name: str
    kind: str | None
    sha256: str | None


async def take(store: DocumentStore, scanner: Scanner, file: BinaryIO, sent: Sent, client: str) -> Document:
    """Keep an uploaded file; return what is to be noted of it. Raises the Refusal of what can't be evidence."""
    size, sha256, media_type = await asyncio.to_thread(_look_at, file)
    _check(size, sha256, media_type, sent)
    assert media_type is not None, "checked"
    document = Document(
        document_id=uuid7(),
        client=client,
        kind=sent.kind,
        name=sent.name,
        media_type=media_type,
        size=size,
        sha256=sha256,
        uploaded_at=datetime.now(UTC),
        finding=await _scanned(scanner, file),
    )
    file.seek(0)
    await store.put(document.document_id, file)
    return document


def _look_at(file: BinaryIO) -> tuple[int, str, str | None]:
    """Read the file once for its size and hash, and once for what it is."""
    digest, size = hashlib.sha256(), 0
    file.seek(0)
    while piece := file.read(_CHUNK):
        digest.update(piece)
        size += len(piece)
    file.seek(0)
    return size, digest.hexdigest(), formats.media_type_of(file)


def _check(size: int, sha256: str, media_type: str | None, sent: Sent) -> None:
    if size == 0:
        raise _refusal("document_empty", "文件为空。", "The file is empty.")
    if size > LARGEST_BYTES:
        most = LARGEST_BYTES // _MIB
        raise _refusal("document_too_large", f"文件不得超过{most} MB。", f"A file has at most {most} MiB.", status=413)
    if sent.sha256 is not None and sent.sha256.lower() != sha256:
        raise Refusal(
            "document_hash_differs",
            f"/sha256：收到的文件的 SHA-256 为 {sha256}，与所给值不符，请重新上传。",
            f"/sha256: the file that arrived has the SHA-256 {sha256}, not the one that was sent along. Send it again.",
            status=422,
            pointer="/sha256",
        )
    if media_type is None:
        taken = ", ".join(formats.TAKEN)
        raise _refusal(
            "document_type_refused",
            f"按内容判断，该文件不是可接受的格式。可接受：{taken}。",
            f"By its content this is none of the formats that are taken: {taken}.",
        )


async def _scanned(scanner: Scanner, file: BinaryIO) -> str | None:
    """Let the scanner look at a copy of its own that has a name."""
    if not scanner.looks:
        return None
    with tempfile.NamedTemporaryFile(prefix="drawdown-scan-") as copy:
        file.seek(0)
        await asyncio.to_thread(shutil.copyfileobj, file, copy, _CHUNK)
        copy.flush()
        finding = await scanner.finding(copy.name)
    if finding is not None:
        log.warning("document_quarantined", finding=finding)
    return finding


def _refusal(code: str, zh: str, en: str, *, status: int = 422) -> Refusal:
    return Refusal(code, f"/file：{zh}", f"/file: {en}", status=status, pointer="/file")


# --- what nobody can name --------------------------------------------------------------------------------------


class Sweeper:
    """Removes what was put and never noted: its upload broke off before the commit, or was a repeat."""

    def __init__(self, database: Database, store: DocumentStore) -> None:
        self._database = database
        self._store = store

    async def run(self, stop: asyncio.Event) -> None:
        while not await wait(stop, _SWEEP_SECONDS):
            try:
                await self.sweep(datetime.now(UTC) - _UNNAMED_FOR)
            except (SQLAlchemyError, OSError, TimeoutError, TransientError) as error:
                log.warning("documents_not_swept", reason=describe(error))

    async def sweep(self, before: datetime) -> int:
        """Remove what was put before this moment and has no row; return how many that were."""
        old = [document_id async for document_id, at in self._store.listed() if at < before]
        async with self._database.reading() as connection:
            noted = await _noted(connection, old)
        for document_id in sorted(set(old) - noted):
            await self._store.delete(document_id)
            log.info("document_swept", document_id=str(document_id))
        return len(set(old) - noted)


async def _noted(connection: AsyncConnection, ids: list[UUID]) -> set[UUID]:
    column = tables.documents.c.document_id
    return set((await connection.execute(select(column).where(column.in_(ids)))).scalars()) if ids else set()
