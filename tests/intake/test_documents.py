"""Evidence: uploaded, told by its content, kept on disk, read back in parts, and named by what it belongs to."""

import asyncio
import hashlib
import io
import os
import sys
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI

from contracts.common import Text
from contracts.events import ApplicationSubmitted, ClaimSubmitted
from contracts.policy import ClaimRules, Evidence
from intake import tables
from intake.documents import formats
from intake.documents.scanning import Scanner
from intake.documents.store import BucketStore, DirectoryStore, DocumentStore, open_store
from intake.documents.upload import LARGEST_BYTES, Sweeper
from kit.database import Database
from kit.errors import SetupError, TransientError
from kit.identifiers import uuid7
from stack.ports import free_ports
from tests.intake.scenes import PROVIDER, USCC, Portal, application, publish_policy
from tests.kit.issuer import Issuer

PDF = b"%PDF-1.7\n" + b"a contract " * 1000
XML = '<?xml version="1.0" encoding="UTF-8"?><发票><金额>1</金额></发票>'.encode()
BOMB = b'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaa"><!ENTITY c "&a;&a;">]><b>&c;</b>'


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "<x/>")
    return buffer.getvalue()


# --- what a file is -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (PDF, "application/pdf"),
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0....", "image/jpeg"),
        (b"II*\x00....", "image/tiff"),
        (zipped("OFD.xml", "Doc_0/Document.xml"), "application/ofd"),
        (XML, "application/xml"),
        ("日期,金额\n2026-01-01,1\n".encode(), "text/csv"),
        ("日期,金额\n2026-01-01,1\n".encode("gb18030"), "text/csv"),
        ("\ufeffdate;amount\n".encode(), "text/csv"),
        (zipped("word/document.xml"), None),
        (b"MZ\x90\x00 an executable", None),
        (b"a,b\n\x00\n", None),
        (b"only words", None),
        (b"<html><body>", None),
        (BOMB, None),
        (b"", None),
    ],
)
def test_a_file_is_what_its_content_says(content: bytes, media_type: str | None) -> None:
    file = io.BytesIO(content)
    assert formats.media_type_of(file) == media_type
    assert file.tell() == 0


def test_a_character_that_two_pieces_share_is_text_all_the_same() -> None:
    line = "金额," * 40_000  # three bytes each: a piece ends within one
    assert formats.media_type_of(io.BytesIO(line.encode())) == "text/csv"


# --- uploads --------------------------------------------------------------------------------------------------


async def test_what_was_uploaded_is_read_back_to_the_byte(portal: Portal) -> None:
    sha256 = hashlib.sha256(PDF).hexdigest()
    created = await portal.upload(PDF, kind="contract", sha256=sha256.upper())
    assert created.status_code == 201, created.text
    told = created.json()
    assert (told["media_type"], told["size"], told["sha256"], told["kind"], told["status"]) == (
        "application/pdf",
        len(PDF),
        sha256,
        "contract",
        "stored",
    )
    assert created.headers["location"] == f"/v1/documents/{told['document_id']}"
    assert (await portal.client.get(created.headers["location"])).json() == told
    content = await portal.client.get(f"{created.headers['location']}/content")
    assert (content.content, content.headers["content-type"]) == (PDF, "application/pdf")
    assert content.headers["content-disposition"].startswith("attachment;")


@pytest.mark.parametrize(
    ("asked", "part"),
    [("bytes=10-19", PDF[10:20]), ("bytes=100-", PDF[100:]), ("bytes=-5", PDF[-5:]), ("bytes=0-999999", PDF)],
)
async def test_a_download_goes_on_where_it_broke_off(portal: Portal, asked: str, part: bytes) -> None:
    place = (await portal.upload(PDF)).headers["location"]
    answer = await portal.client.get(f"{place}/content", headers={"range": asked})
    assert (answer.status_code, answer.content) == (206, part)
    assert answer.headers["content-range"].endswith(f"/{len(PDF)}")
    beyond = await portal.client.get(f"{place}/content", headers={"range": f"bytes={len(PDF)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(PDF)}")


@pytest.mark.parametrize(
    ("content", "form", "status", "code"),
    [
        (b"MZ an executable", {}, 422, "document_type_refused"),
        (b"", {}, 422, "document_empty"),
        (PDF, {"sha256": "0" * 64}, 422, "document_hash_differs"),
        (PDF, {"sha256": "xyz"}, 422, "validation_failed"),
        (PDF, {"kind": "No Such Thing"}, 422, "validation_failed"),
        (b"%PDF-" + b"x" * LARGEST_BYTES, {}, 413, "document_too_large"),
        (b"%PDF-" + b"x" * (LARGEST_BYTES + 100_000), {}, 413, "body_too_large"),
    ],
)
async def test_what_is_no_evidence_is_refused_and_leaves_nothing(
    portal: Portal, tmp_path: Path, content: bytes, form: dict[str, str], status: int, code: str
) -> None:
    answer = await portal.upload(content, **form)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await portal.count(tables.documents) == 0
    assert not [path for path in (tmp_path / "documents").rglob("*") if path.is_file()]


async def test_a_body_that_hides_its_length_is_cut_off(portal: Portal) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n%PDF-'
        for _ in range(2_000):
            yield b"x" * 1_000_000

    headers = {"content-type": "multipart/form-data; boundary=b", "idempotency-key": str(uuid4())}
    answer = await portal.client.post("/v1/documents", content=endless(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    plain = await portal.client.post("/v1/applications", content=endless(), headers={"idempotency-key": "k"})
    assert (plain.status_code, plain.json()["code"]) == (413, "body_too_large")


async def test_the_same_upload_sent_twice_is_one(portal: Portal, tmp_path: Path) -> None:
    key = str(uuid4())
    answers = [await portal.upload(PDF, key=key) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert len([path for path in (tmp_path / "documents").rglob("*") if path.is_file()]) == 1
    other = await portal.upload(PDF + b"more", key=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len([path for path in (tmp_path / "documents").rglob("*") if path.is_file()]) == 1
    headers = {"accept-language": "en"}
    keyless = await portal.client.post("/v1/documents", files={"file": ("a.pdf", PDF)}, headers=headers)
    assert keyless.json()["code"] == "idempotency_key_missing"


async def test_without_a_place_for_documents_the_operator_is_told(app: FastAPI, portal: Portal) -> None:
    with pytest.raises(SetupError, match="INTAKE_DOCUMENTS_URL"):
        open_store("ftp://somewhere")
    with pytest.raises(SetupError, match="INTAKE_DOCUMENTS_URL"):
        open_store("file:///proc/nowhere")


# --- what refers to them --------------------------------------------------------------------------------------


async def test_an_event_carries_the_reference_and_the_hash(portal: Portal) -> None:
    uploaded = (await portal.upload(PDF, kind="contract")).json()
    created = await portal.apply(documents=[uploaded["document_id"]])
    assert created.status_code == 201, created.text
    [event] = [one for one in await portal.told() if isinstance(one, ApplicationSubmitted)]
    [reference] = event.documents
    assert (str(reference.document_id), reference.sha256, reference.media_type, reference.kind) == (
        uploaded["document_id"],
        uploaded["sha256"],
        "application/pdf",
        "contract",
    )


async def test_a_claim_brings_its_statement_of_use(portal: Portal) -> None:
    _, award = await portal.awarded()
    statement = (await portal.upload(XML, name="usage.xml")).json()["document_id"]
    made = await portal.claim(award.award_id, **{"usage.statement": statement})
    assert made.status_code == 201, made.text
    [event] = [one for one in await portal.told() if isinstance(one, ClaimSubmitted)]
    assert [str(one.document_id) for one in event.documents] == [statement]
    assert event.usage is not None
    assert str(event.usage.statement) == statement


async def test_what_the_policy_requires_has_to_be_there(portal: Portal) -> None:
    asked = Evidence("contract", required=True, text=Text("合同", "The signed contract"))
    async with portal.database.transaction() as connection:
        await publish_policy(connection, scheme="with-evidence", evidence=(asked,))
    lacking = await portal.apply(scheme="with-evidence")
    assert (lacking.status_code, lacking.json()["code"], lacking.json()["pointer"]) == (
        422,
        "evidence_missing",
        "/documents",
    )
    assert "kind=contract" in lacking.json()["detail"]
    other = (await portal.upload(PDF, kind="licence")).json()["document_id"]
    assert (await portal.apply(scheme="with-evidence", documents=[other])).status_code == 422
    draft = (await portal.apply(scheme="with-evidence", submit=False, documents=[other])).json()
    right = (await portal.upload(PDF, kind="contract")).json()["document_id"]
    path = f"/v1/applications/{draft['application_id']}"
    assert (await portal.client.post(f"{path}/submission")).status_code == 422
    assert (await portal.client.patch(path, json={"documents": [right]})).status_code == 200
    assert (await portal.client.post(f"{path}/submission")).json()["status"] == "submitted"


async def test_a_document_that_is_not_there_is_refused_where_it_is_named(portal: Portal) -> None:
    known = (await portal.upload(PDF)).json()["document_id"]
    refused = await portal.apply(documents=[known, str(uuid7())])
    assert (refused.status_code, refused.json()["code"], refused.json()["pointer"]) == (
        422,
        "unknown_document",
        "/documents/1",
    )
    assert application()["documents"] == []


async def test_the_contracts_provider_stands_behind_the_statement_of_use(portal: Portal, issuer: Issuer) -> None:
    async with portal.database.transaction() as connection:
        claims = ClaimRules(usage_required=True, statement="confirmed")
        await publish_policy(connection, scheme="confirmed-use", claims=claims)
    _, award = await portal.awarded(scheme="confirmed-use")
    lacking = await portal.claim(award.award_id)
    assert (lacking.status_code, lacking.json()["code"]) == (422, "statement_missing")
    place = (await portal.upload(XML, name="usage.xml")).headers["location"]
    named = {"usage.statement": place.rsplit("/", 1)[-1]}
    early = await portal.claim(award.award_id, **named)
    assert (early.status_code, early.json()["code"]) == (422, "statement_not_confirmed")

    async def confirm(by: str, scope: str = "provider") -> httpx.Response:
        headers = {"authorization": f"Bearer {issuer.token(scope, sub=by)}", "accept-language": "en"}
        return await portal.client.post(f"{place}/confirmation", headers=headers)

    assert (await confirm(PROVIDER, "portal")).json()["code"] == "scope_missing"
    assert (await confirm(PROVIDER)).json()["confirmed_by"] == PROVIDER
    assert (await confirm(PROVIDER)).status_code == 200
    other = await confirm(USCC)
    assert (other.status_code, other.json()["code"]) == (409, "document_confirmed")
    assert (await portal.claim(award.award_id, **named)).status_code == 201
    nowhere = f"/v1/documents/{uuid7()}/confirmation"
    headers = {"authorization": f"Bearer {issuer.token('provider', sub=PROVIDER)}"}
    assert (await portal.client.post(nowhere, headers=headers)).status_code == 404


# --- the scanner ----------------------------------------------------------------------------------------------

LOOKS = (
    "import sys; bad = b'EICAR' in open(sys.argv[1], 'rb').read(); print('Eicar FOUND' if bad else 'OK'); sys.exit(bad)"
)


async def test_what_the_scanner_finds_is_quarantined(portal: Portal, app: FastAPI, tmp_path: Path) -> None:
    scanner = Scanner([sys.executable, "-c", LOOKS], 30)
    path = tmp_path / "file"
    path.write_bytes(PDF)
    assert await scanner.finding(str(path)) is None
    path.write_bytes(b"%PDF-EICAR")
    assert await scanner.finding(str(path)) == "Eicar FOUND"
    failing = Scanner([sys.executable, "-c", "import sys; print('no database'); sys.exit(2)"], 30)
    with pytest.raises(TransientError, match=r"failed \(2\): no database"):
        await failing.finding(str(path))
    with pytest.raises(TransientError, match="took more than"):
        await Scanner([sys.executable, "-c", "import time; time.sleep(60)"], 0.2).finding(str(path))
    with pytest.raises(TransientError, match="can't be started"):
        await Scanner(["/nowhere/scanner"], 1).finding(str(path))


async def test_what_is_quarantined_is_neither_named_nor_read(scanned: Portal) -> None:
    created = await scanned.upload(b"%PDF-EICAR")
    assert (created.status_code, created.json()["status"]) == (201, "quarantined")
    refused = await scanned.apply(documents=[created.json()["document_id"]])
    assert (refused.status_code, refused.json()["code"], refused.json()["pointer"]) == (
        422,
        "document_quarantined",
        "/documents/0",
    )
    content = await scanned.client.get(f"{created.headers['location']}/content")
    assert (content.status_code, content.json()["code"]) == (409, "document_quarantined")
    assert (await scanned.upload(PDF)).json()["status"] == "stored"


# --- what nobody can name ---------------------------------------------------------------------------------------


async def test_what_was_never_noted_is_swept_away(portal: Portal, empty_database: Database, tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "documents")
    noted = UUID((await portal.upload(PDF)).json()["document_id"])
    lost, fresh = uuid7(), uuid7()
    for document_id in (lost, fresh):
        await store.put(document_id, io.BytesIO(PDF))
    long_ago = (datetime.now(UTC) - timedelta(days=2)).timestamp()
    for document_id in (noted, lost):
        [path] = (tmp_path / "documents").rglob(str(document_id))
        os.utime(path, (long_ago, long_ago))
    sweeper = Sweeper(empty_database, store)
    assert await sweeper.sweep(datetime.now(UTC) - timedelta(days=1)) == 1
    assert {document_id async for document_id, _ in store.listed()} == {noted, fresh}


async def test_a_full_disk_is_told_and_leaves_nothing_behind(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "documents")
    (tmp_path / "documents" / "incoming").rmdir()
    with pytest.raises(TransientError, match="can't be kept in"):
        await store.put(uuid7(), io.BytesIO(PDF))
    assert [document async for document in store.listed()] == []


# --- a bucket -------------------------------------------------------------------------------------------------


@pytest.fixture
async def bucket(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DocumentStore]:
    """A store in a bucket of a server that speaks S3, in a process of its own on loopback."""
    [port] = free_ports(1)
    address = f"http://127.0.0.1:{port}"
    for name, value in {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT": address,
        "AWS_ALLOW_HTTP": "true",
    }.items():
        monkeypatch.setenv(name, value)
    command = (sys.executable, "-c", "from moto.server import main; main()", "-p", str(port))
    null = asyncio.subprocess.DEVNULL
    server = await asyncio.create_subprocess_exec(*command, stdout=null, stderr=null)
    async with httpx.AsyncClient(trust_env=False) as client:
        while True:
            assert server.returncode is None, "the server has ended"
            try:
                await client.put(f"{address}/evidence")
                break
            except httpx.ConnectError:
                await asyncio.sleep(0.1)  # it has no other way to say that it listens
    yield open_store("s3://evidence/documents")
    server.terminate()
    await server.wait()


async def test_a_bucket_keeps_what_a_directory_does(bucket: DocumentStore, empty_database: Database) -> None:
    document_id, large = uuid7(), PDF * 1_000  # goes up in parts
    await bucket.put(document_id, io.BytesIO(large))
    assert b"".join([piece async for piece in bucket.read(document_id, 0, len(large))]) == large
    assert b"".join([piece async for piece in bucket.read(document_id, 300_000, 10)]) == large[300_000:300_010]
    assert [found async for found, _ in bucket.listed()] == [document_id]
    sweeper = Sweeper(empty_database, bucket)
    assert await sweeper.sweep(datetime.now(UTC) - timedelta(days=1)) == 0
    assert await sweeper.sweep(datetime.now(UTC) + timedelta(minutes=1)) == 1
    await bucket.delete(document_id)
    assert [found async for found, _ in bucket.listed()] == []


async def test_a_bucket_that_is_away_is_told(bucket: DocumentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    [nobody_listens] = free_ports(1)
    monkeypatch.setenv("AWS_ENDPOINT", f"http://127.0.0.1:{nobody_listens}")
    away = BucketStore("s3://evidence/documents", {"timeout": "1s", "connect_timeout": "1s"}, tries=0)
    with pytest.raises(TransientError, match="can't be kept in the bucket"):
        await away.put(uuid7(), io.BytesIO(PDF))
