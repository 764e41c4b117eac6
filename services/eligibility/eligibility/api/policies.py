"""Publishing a policy while everything runs: the document is checked, recorded, and announced to all services."""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response

from eligibility.api.parts import Parts, key_of
from eligibility.api.schemas import IdempotencyKey, PublishedOut
from eligibility.commands import PublishPolicy
from eligibility.policies import parse_document
from eligibility.refusals import policy_invalid
from kit.access import Principal
from kit.errors import SetupError
from kit.http import TRACEPARENT

_YAML = {"requestBody": {"content": {"application/yaml": {"schema": {"type": "string"}}}, "required": True}}


def add(routes: APIRouter, parts: Parts) -> None:
    """Add the calls of policy editors."""
    editor: Any = parts.access.principal("policy-editor")

    @routes.post(
        "/policies",
        tags=["policies"],
        status_code=201,
        response_model=PublishedOut,
        responses={
            200: {"description": "This version was published before, with the same text", "model": PublishedOut}
        },
        summary="Publish a version of a scheme's policy document (YAML, or JSON)",
        openapi_extra=_YAML,
    )
    async def publish_policy(
        request: Request, person: Annotated[Principal, editor], idempotency_key: IdempotencyKey = None
    ) -> Response:
        key = await key_of(request, person, idempotency_key)
        document = _parsed(await request.body())
        command = PublishPolicy(key=key, traceparent=TRACEPARENT.get(), by=person.subject, document=document)
        return await parts.carry_out(command)


def _parsed(body: bytes) -> Any:
    try:
        return parse_document("document", body.decode())
    except UnicodeDecodeError as error:
        raise policy_invalid(f"it is not UTF-8: {error}") from error
    except SetupError as error:
        raise policy_invalid(str(error)) from error
