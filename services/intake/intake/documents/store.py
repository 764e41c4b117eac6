"""Where documents are kept: a directory of this machine, or a bucket that speaks S3. What is put is durable at once.

A document's bytes never change. What was put and never referred to (its row was not committed) is swept away a day
later.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname
from uuid import UUID

from kit.errors import SetupError, TransientError

_CHUNK: Final = 256 * 1024
_INCOMING: Final = "incoming"
_CLIENT: Final = {"timeout": "20s", "connect_timeout": "3s"}


class DocumentStore(Protocol):
    """Bytes by the document's id."""

    async def put(self, document_id: UUID, file: BinaryIO) -> None:
        """Keep the whole file; when this returns, it is there after a crash."""

    def read(self, document_id: UUID, start: int, length: int) -> AsyncIterator[bytes]:
        """Yield ``length`` bytes from ``start`` on, in pieces."""

    async def delete(self, document_id: UUID) -> None:
        """Remove a document, if it is there."""

    def listed(self) -> AsyncIterator[tuple[UUID, datetime]]:
        """Yield what is there, with when it was put."""


def open_store(url: str) -> DocumentStore:
    """Return the store of a URL: ``file:///directory`` or ``s3://bucket/prefix`` (credentials from ``AWS_*``).

    Raises SetupError with what to change.
    """
    parts = urlsplit(url)
    match parts.scheme:
        case "file":
            return DirectoryStore(Path(url2pathname(parts.path)))
        case "s3":
            return BucketStore(url)
        case _:
            raise SetupError(f"INTAKE_DOCUMENTS_URL: {url!r} has to begin with file:/// or s3://")


class DirectoryStore:
    """Documents as files, 256 directories side by side. Written apart, flushed to disk, then moved into place."""

    def __init__(self, root: Path) -> None:
        self._root = root
        try:
            (root / _INCOMING).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SetupError(f"can't make {root} ({error.strerror}): set INTAKE_DOCUMENTS_URL") from error

    async def put(self, document_id: UUID, file: BinaryIO) -> None:
        await asyncio.to_thread(self._put, document_id, file)

    def _put(self, document_id: UUID, file: BinaryIO) -> None:
        draft, place = self._root / _INCOMING / str(document_id), self._place(document_id)
        try:
            with draft.open("xb") as kept:
                shutil.copyfileobj(file, kept, _CHUNK)
                kept.flush()
                os.fsync(kept.fileno())
            place.parent.mkdir(exist_ok=True)
            draft.rename(place)
            for directory in (place.parent, self._root):
                _flush_directory(directory)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise TransientError(f"a document can't be kept in {self._root}: {error.strerror}") from error

    async def read(self, document_id: UUID, start: int, length: int) -> AsyncIterator[bytes]:
        file = await asyncio.to_thread(self._place(document_id).open, "rb")
        try:
            await asyncio.to_thread(file.seek, start)
            while length > 0 and (piece := await asyncio.to_thread(file.read, min(_CHUNK, length))):
                length -= len(piece)
                yield piece
        finally:
            file.close()

    async def delete(self, document_id: UUID) -> None:
        await asyncio.to_thread(self._place(document_id).unlink, missing_ok=True)

    async def listed(self) -> AsyncIterator[tuple[UUID, datetime]]:
        for directory in sorted(self._root.iterdir()):
            for name, at in await asyncio.to_thread(_files_of, directory):
                yield name, at

    def _place(self, document_id: UUID) -> Path:
        return self._root / document_id.hex[-2:] / str(document_id)


def _files_of(directory: Path) -> list[tuple[UUID, datetime]]:
    if not directory.is_dir():
        return []
    found = [(UUID(entry.name), entry.stat().st_mtime) for entry in os.scandir(directory)]
    return [(name, datetime.fromtimestamp(at, UTC)) for name, at in found]


def _flush_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class BucketStore:
    """Documents as objects of a bucket. Large ones go up in parts; nothing is held whole."""

    def __init__(self, url: str, client: Mapping[str, str] = _CLIENT, tries: int = 2) -> None:
        import obstore  # noqa: PLC0415  # only a deployment with a bucket loads it
        from obstore.exceptions import BaseError  # noqa: PLC0415
        from obstore.store import S3Store  # noqa: PLC0415

        self._obstore: Any = obstore
        self._error: type[Exception] = BaseError
        try:
            plain = os.environ.get("AWS_ALLOW_HTTP", "").lower() == "true"
            options: Any = {**client, "allow_http": plain}
            self._store = S3Store.from_url(url, client_options=options, retry_config={"max_retries": tries})
        except BaseError as error:
            raise SetupError(
                f"INTAKE_DOCUMENTS_URL: {url!r} is no bucket that can be used ({_first_line(error)})"
            ) from error

    async def put(self, document_id: UUID, file: BinaryIO) -> None:
        try:
            await self._obstore.put_async(self._store, str(document_id), file)
        except self._error as error:
            raise TransientError(f"a document can't be kept in the bucket: {_first_line(error)}") from error

    async def read(self, document_id: UUID, start: int, length: int) -> AsyncIterator[bytes]:
        end = start + length
        for begin in range(start, end, _CHUNK):
            piece = await self._obstore.get_range_async(
                self._store, str(document_id), start=begin, end=min(end, begin + _CHUNK)
            )
            yield bytes(piece)

    async def delete(self, document_id: UUID) -> None:
        try:
            await self._obstore.delete_async(self._store, str(document_id))
        except FileNotFoundError:
            return

    async def listed(self) -> AsyncIterator[tuple[UUID, datetime]]:
        async for page in self._obstore.list(self._store):
            for entry in page:
                yield UUID(entry["path"].rsplit("/", 1)[-1]), entry["last_modified"]


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
