"""HTTP writes that may be sent again: the Idempotency-Key header to a key, a stored answer to a response."""

from typing import Annotated, Final

from fastapi import Header, Request, Response

from contracts.refusal import Refusal
from kit import openapi
from kit.idempotency import Answer, Key, request_hash

LONGEST_KEY: Final = 200
_SAID: Final = "same key and body: same answer, for at least 7 days"
_A_KEY: Final = "01a20408-5fa5-7442-b3c5-d03ff5eb2e7b"

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=LONGEST_KEY,
        description=_SAID,
        examples=[_A_KEY],
        json_schema_extra=openapi.required(),
    ),
]
"""Of a call that creates: `key_of` refuses it where it is missing."""
OptionalKey = Annotated[str | None, Header(min_length=1, max_length=LONGEST_KEY, description=_SAID, examples=[_A_KEY])]
"""Of a call that may be sent again anyway."""


async def key_of(request: Request, client: str, given: str | None, *, required: bool = True) -> Key | None:
    """Return the key under which this client may ask again; keys of different clients never meet.

    Raises the Refusal 400 `idempotency_key_missing` where one is required and none was given.
    """
    if given is not None:
        return Key(client, given, request_hash(request.method, request.url.path, await request.body()))
    if not required:
        return None
    raise missing_key()


def missing_key() -> Refusal:
    """Return the refusal for a write that came without a key."""
    return Refusal(
        "idempotency_key_missing",
        "缺少 Idempotency-Key 请求头。请为每个新请求生成一个唯一值（如 UUID），重试时用同一值。",
        "The header Idempotency-Key is missing. Send a new unique value (a UUID) with each new request, "
        "and the same value when you try again.",
        status=400,
    )


def response_of(answer: Answer) -> Response:
    """Return an answer as it goes over the wire, to the byte."""
    return Response(answer.body, answer.status, answer.headers, "application/json")
