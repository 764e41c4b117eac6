"""The short way of an application: ``kit.shortcuts`` says what a shortcut is. The route is in ``api``.

The body is checked by the same model, straight from its bytes.
"""

from typing import Final

from fastapi import FastAPI
from pydantic import TypeAdapter, ValidationError

from intake.api import Parts
from intake.callers import client_of
from intake.commands import CreateApplication
from intake.schemas import NewApplication
from kit.http import TRACEPARENT
from kit.idempotency import Answer, Key, request_hash
from kit.shortcuts import Headers, Shortcuts
from kit.writes import LONGEST_KEY

PATH: Final = "/v1/applications"
_SCOPES: Final = frozenset({"portal"})
_FIELDS: Final = TypeAdapter(NewApplication)


def add(app: FastAPI, parts: Parts) -> None:
    """Let applications take the short way."""

    async def create_application(path: str, headers: Headers, body: bytes) -> Answer | None:
        person = parts.access.at_hand(headers.get(b"authorization", b""), _SCOPES)
        key = headers.get(b"idempotency-key", b"").decode("latin-1")
        if person is None or not 0 < len(key) <= LONGEST_KEY:
            return None
        try:
            asked = _FIELDS.validate_json(body)
        except ValidationError:
            return None
        sent = asked.model_dump(mode="json")
        scheme, submit = sent.pop("scheme"), sent.pop("submit")
        client = client_of(person)
        command = CreateApplication(
            key=Key(client, key, request_hash("POST", path, body)),
            traceparent=TRACEPARENT.get(),
            client=client,
            scheme=scheme,
            body=sent,
            submit=submit,
        )
        return await parts.writer.submit(command)

    shortcuts: Shortcuts = app.state.shortcuts
    shortcuts.add("POST", PATH, create_application)
