"""Ranking calls: what a panellist sees and scores, what an officer ranks."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts.codec import to_builtins
from eligibility import calls, waits
from eligibility.api import schemas
from eligibility.api.parts import Name, Parts, asked
from eligibility.commands import Rank, Score
from eligibility.store import assessments, tasks
from eligibility.store import calls as store
from kit.access import Principal
from kit.openapi import call
from kit.writes import IdempotencyKey, OptionalKey


def add(routes: APIRouter, parts: Parts) -> None:
    """Add the calls of panels, and of the officers who rank."""
    _add_panel(routes, parts)
    _add_ranking(routes, parts)


def _add_panel(routes: APIRouter, parts: Parts) -> None:
    panellist: Any = parts.access.principal("panel")

    @routes.get(
        "/calls/{scheme}/{version}",
        tags=["calls"],
        summary="The applications of a call, with one's own scores",
        **call(schemas.CallOut, refuses=["call_not_found"]),
    )
    async def get_call(scheme: Name, version: Name, person: Annotated[Principal, panellist]) -> schemas.CallOut:
        async with parts.database.reading() as connection:
            _, _, closes_at = await calls.rules_of(parts.shelf, connection, scheme, version)
            members = await store.members(connection, scheme, version)
            ids = [key for key, holder in members.items() if holder == waits.PANEL]
            scores = await store.scores(connection, ids)
            items = []
            for key in ids:
                one = await assessments.find(connection, key)
                if one is None or await tasks.has_interest(connection, person.subject, one.submitted.applicant):
                    continue
                own = scores.get(key, {})
                items.append(
                    {
                        "application_id": key,
                        "submitted": to_builtins(one.submitted),
                        "scores": len(own),
                        "own_score": own.get(person.subject),
                    }
                )
            ranked = await store.find(connection, scheme, version) is not None
        shown = {"scheme": scheme, "version": version, "closes_at": closes_at, "ranked": ranked, "items": items}
        return schemas.CallOut.model_validate(shown)

    @routes.put(
        "/calls/applications/{application_id}/score",
        tags=["calls"],
        summary="Score an application; a later score replaces the earlier, until the call is ranked",
        **call(
            schemas.ScoredOut,
            refuses=[
                "assessment_not_found",
                "interest_declared",
                "nothing_to_score",
                "panel_complete",
                "score_out_of_scale",
            ],
        ),
    )
    async def score_application(
        request: Request,
        application_id: UUID,
        body: schemas.ScoreIn,
        person: Annotated[Principal, panellist],
        idempotency_key: OptionalKey = None,
    ) -> Response:
        command = Score(
            **await asked(request, person, idempotency_key, required=False),
            application_id=application_id,
            score=body.score,
            comment=body.comment,
        )
        return await parts.carry_out(command)


def _add_ranking(routes: APIRouter, parts: Parts) -> None:
    officer: Any = parts.access.principal("officer")
    reader: Any = parts.access.principal("officer", "auditor")

    @routes.get(
        "/calls/{scheme}/{version}/ranking",
        tags=["calls"],
        summary="The ranking, or what it would be now",
        **call(schemas.RankingOut, refuses=["call_not_found"]),
    )
    async def get_ranking(scheme: Name, version: Name, _person: Annotated[Principal, reader]) -> schemas.RankingOut:
        async with parts.database.transaction() as connection:  # it locks what takes part, and changes nothing
            places = await store.find(connection, scheme, version)
            if places is None:
                now = await assessments.now(connection)
                places = to_builtins(await calls.ranking(parts.shelf, connection, scheme, version, now))
        return schemas.RankingOut.model_validate({"scheme": scheme, "version": version, "places": places})

    @routes.post(
        "/calls/{scheme}/{version}/ranking",
        tags=["calls"],
        summary="Rank a call that has closed: all of its applications are decided, all at once, and once",
        **call(schemas.RankingOut, refuses=["call_not_found", "call_open", "call_incomplete"]),
    )
    async def rank_call(
        request: Request,
        scheme: Name,
        version: Name,
        person: Annotated[Principal, officer],
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        command = Rank(
            **await asked(request, person, idempotency_key),
            scheme=scheme,
            version=version,
        )
        return await parts.carry_out(command)
