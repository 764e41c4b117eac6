"""What the portal reads of applications: one, many, what happened. Rows to responses; no decisions."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from intake import queries
from intake.api import shown
from intake.api.parts import Parts, json, json_or_404
from intake.callers import READERS, viewer
from intake.schemas import Search
from kit.access import Principal
from kit.http import page_of
from kit.openapi import call


def add(routes: APIRouter, parts: Parts) -> None:
    """Add the calls that read applications."""
    Reader = Annotated[Principal, parts.access.principal(*READERS)]  # noqa: N806  # a type

    @routes.get(
        "/applications",
        tags=["applications"],
        summary="Search, in the order of making",
        **call(shown.ApplicationsOut),
    )
    async def list_applications(person: Reader, sought: Annotated[Search, Query()]) -> Response:
        async with parts.database.reading() as connection:
            rows = await queries.applications(
                connection,
                client=viewer(person),
                filters=sought.model_dump(include={"applicant", "scheme", "status", "district"}),
                submitted_from=sought.submitted_from,
                submitted_until=sought.submitted_until,
                after=sought.cursor,
                limit=sought.limit + 1,
            )
        return json(page_of(rows, sought.limit, "application_id"))

    @routes.get(
        "/applications/{application_id}",
        tags=["applications"],
        summary="The whole state of an application",
        **call(shown.ApplicationOut, headers=["ETag"], refuses=["application_not_found"]),
    )
    async def get_application(application_id: UUID, person: Reader) -> Response:
        async with parts.database.reading() as connection:
            found = await queries.application(connection, application_id, viewer(person))
        response = json_or_404(found, "application", application_id)
        response.headers["etag"] = f'"{found["version"]}"' if found else ""
        return response

    @routes.get(
        "/applications/{application_id}/timeline",
        tags=["applications"],
        summary="What happened, in order",
        **call(shown.TimelineOut, refuses=["application_not_found"]),
    )
    async def get_timeline(application_id: UUID, person: Reader) -> Response:
        async with parts.database.reading() as connection:
            lines = await queries.timeline(connection, application_id, viewer(person))
        return json_or_404({"items": lines, "next_cursor": None} if lines else None, "application", application_id)
