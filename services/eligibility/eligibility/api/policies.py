"""Publishing a policy while everything runs: the document is checked, recorded, and announced to all services."""

from datetime import datetime, time
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import msgspec
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from contracts.money import LARGEST_EXACT_INTEGER
from eligibility import past
from eligibility.api.parts import Parts, asked
from eligibility.api.schemas import PublishedOut, ReplayLineOut, SimulationOut
from eligibility.commands import PublishPolicy
from eligibility.policies import parse_document
from eligibility.refusals import policy_invalid
from kit.access import Principal
from kit.errors import SetupError
from kit.fields import Day, Moment
from kit.openapi import call
from kit.writes import IdempotencyKey

LINES: Final = "application/x-ndjson"
_YAML: Final[dict[str, Any]] = {
    "requestBody": {"content": {"application/yaml": {"schema": {"type": "string"}}}, "required": True}
}


def add(routes: APIRouter, parts: Parts) -> None:
    """Add the calls of policy editors, and the replay of what was decided under their documents."""
    _add_replays(routes, parts)
    editor: Any = parts.access.principal("policy-editor")

    @routes.post(
        "/policies",
        tags=["policies"],
        summary="Publish a version of a scheme's policy document (YAML, or JSON)",
        **call(
            PublishedOut,
            status=201,
            refuses=["policy_invalid", "policy_is_draft", "policy_version_published"],
            more={200: {"description": "This version was published before, with the same text", "model": PublishedOut}},
            **_YAML,
        ),
    )
    async def publish_policy(
        request: Request, person: Annotated[Principal, editor], idempotency_key: IdempotencyKey = None
    ) -> Response:
        who = await asked(request, person, idempotency_key)
        return await parts.carry_out(PublishPolicy(**who, document=_parsed(await request.body())))

    @routes.post(
        "/policies/simulations",
        tags=["policies"],
        summary="What a draft (YAML, or JSON) would have done with all decided applications of its scheme",
        **call(SimulationOut, refuses=["policy_invalid"], **_YAML),
    )
    async def simulate_policy(
        request: Request,
        _person: Annotated[Principal, editor],
        since: Annotated[Day | None, Query(description="only what was submitted from this day on")] = None,
        appropriated: Annotated[
            int | None, Query(gt=0, le=LARGEST_EXACT_INTEGER, description="fen: what the draft's pool was given")
        ] = None,
    ) -> Response:
        document = _parsed(await request.body())
        zone = ZoneInfo(document.policy.timezone)
        begin = datetime.combine(since, time.min, zone) if since else past.BEGINNING
        found = await past.simulate(parts.database, parts.shelf, document.policy, begin, appropriated)
        return Response(msgspec.json.encode(found), media_type="application/json")


def _add_replays(routes: APIRouter, parts: Parts) -> None:
    reader: Any = parts.access.principal("officer", "auditor")

    @routes.get(
        "/replays",
        tags=["assessments"],
        summary="Every decision made again on its frozen facts: a line for each that differs, and one that counts",
        response_class=Response,
        **call(media={LINES: {"schema": ReplayLineOut.model_json_schema()}}),
    )
    async def replay_decisions(
        _person: Annotated[Principal, reader], scheme: str | None = None, since: Moment | None = None
    ) -> Response:
        lines = past.replays(parts.database, parts.shelf, scheme, since or past.BEGINNING)
        return StreamingResponse(lines, media_type=LINES)


def _parsed(body: bytes) -> Any:
    try:
        return parse_document("document", body.decode())
    except UnicodeDecodeError as error:
        raise policy_invalid(f"it is not UTF-8: {error}") from error
    except SetupError as error:
        raise policy_invalid(str(error)) from error
