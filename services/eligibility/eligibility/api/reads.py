"""What officers and auditors read of assessments and policies. Queries to results; no decisions."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from eligibility import views
from eligibility.api.parts import Name, Parts
from eligibility.refusals import not_found
from eligibility.store import assessments, hearings, policies
from kit.http import page_of
from kit.openapi import call

Limit = Annotated[int, Query(ge=1, le=1000, description="at most so many items")]
Cursor = Annotated[UUID | None, Query(description="`next_cursor` of the page before")]


def add(routes: APIRouter, parts: Parts) -> None:
    """Add the calls that only read: published documents are public, assessments are officers' and auditors'."""
    inside = APIRouter(dependencies=[parts.access.principal("officer", "auditor")])
    _add_assessments(inside, parts)
    routes.include_router(inside)

    @routes.get("/policies", tags=["policies"], summary="All published policy documents", **call(views.PoliciesOut))
    async def list_policies() -> views.PoliciesOut:
        async with parts.database.reading() as connection:
            return views.PoliciesOut.model_validate({"items": await policies.read(connection)})

    @routes.get(
        "/policies/{scheme}",
        tags=["policies"],
        summary="A scheme's published versions, in order of effect",
        **call(views.PoliciesOut, refuses=["policy_not_found"]),
    )
    async def get_policy(scheme: Name) -> views.PoliciesOut:
        async with parts.database.reading() as connection:
            found = await policies.read(connection, scheme)
        if not found:
            raise not_found("policy", scheme)
        return views.PoliciesOut.model_validate({"items": found})


def _add_assessments(routes: APIRouter, parts: Parts) -> None:
    @routes.get(
        "/assessments",
        tags=["assessments"],
        summary="Assessments, in the order of their applications' ids",
        **call(views.AssessmentsOut),
    )
    async def list_assessments(limit: Limit = 100, cursor: Cursor = None) -> views.AssessmentsOut:
        async with parts.database.reading() as connection:
            found = await assessments.page(connection, after=cursor, limit=limit + 1)
        rows = [views.summary(assessment) for assessment in found]
        return views.AssessmentsOut.model_validate(page_of(rows, limit, "application_id"))

    @routes.get(
        "/assessments/{application_id}",
        tags=["assessments"],
        summary="One assessment: facts, criteria, policy version, and the decision made again on the same facts",
        **call(views.AssessmentDetailOut, refuses=["assessment_not_found"]),
    )
    async def get_assessment(application_id: UUID) -> views.AssessmentDetailOut:
        async with parts.database.reading() as connection:
            found = await assessments.find(connection, application_id)
            if found is None:
                raise not_found("assessment", str(application_id))
            await policies.stock(connection, parts.shelf, [found.version])
            earlier = await hearings.earlier_of(connection, [found])
        return views.detail(found, earlier, parts.shelf)
