"""Schemes in force, for everybody. No decisions."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Response

from intake import queries
from intake.api import shown
from intake.api.parts import Parts, json, json_or_404
from kit.openapi import call

SchemeName = Annotated[str, Path(max_length=200, description="the scheme's id", examples=["compute-voucher"])]


def add(routes: APIRouter, parts: Parts) -> None:
    """Add the calls about schemes, which need no token."""

    @routes.get(
        "/schemes",
        tags=["schemes"],
        summary="Schemes in force: rule, window, evidence, form",
        **call(shown.SchemesOut),
    )
    async def list_schemes() -> Response:
        async with parts.database.reading() as connection:
            return json({"items": await queries.schemes(connection, datetime.now(UTC)), "next_cursor": None})

    @routes.get(
        "/schemes/{scheme}",
        tags=["schemes"],
        summary="One scheme",
        **call(shown.SchemeOut, refuses=["scheme_not_found"]),
    )
    async def get_scheme(scheme: SchemeName) -> Response:
        async with parts.database.reading() as connection:
            schemes = await queries.schemes(connection, datetime.now(UTC))
        return json_or_404(next((found for found in schemes if found["scheme"] == scheme), None), "scheme", scheme)
