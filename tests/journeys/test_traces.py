"""One application is one trace, from the portal's request to the figures of metrics, and the logs tell the same."""

import json
import secrets
import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from contracts.events import ApplicationApproved, ApplicationSubmitted, AwardIssued
from contracts.topics import event_type
from stack.simulators import bodies
from stack.simulators.population import Role
from stack.supervisor import Stack
from tests.journeys.traveller import Traveller
from tests.kit.collector import Collector, Span
from tests.kit.conftest import eventually

SUBMITTED, APPROVED, AWARDED = (event_type(each) for each in (ApplicationSubmitted, ApplicationApproved, AwardIssued))
PORTALS_SPAN = "00f067aa0ba902b7"
NUMBERS = count(30)  # of companies that nobody else here uses


@pytest.fixture
async def followed(traveller: Traveller) -> tuple[str, str]:
    """An application that was sent with a trace to be recorded, and awarded; its id and the trace's."""
    trace_id = secrets.token_hex(16)
    response = await traveller.post(
        "/v1/applications",
        bodies.application(traveller.ask_of(Role.ORDINARY, next(NUMBERS)), submit=True),
        traceparent=f"00-{trace_id}-{PORTALS_SPAN}-01",
    )
    assert response.status_code == 201, response.text
    await traveller.until_status(response.json(), "awarded")
    return response.json()["application_id"], trace_id


def handling(spans: list[Span], service: str, kind: str) -> list[Span]:
    """The spans in which a service handled an event of this kind."""
    return [
        span
        for span in spans
        if span.service == service
        and span.name.startswith("process ")
        and kind in span.attributes["event.type"].split(",")
    ]


def way_up(spans: list[Span], last: Span) -> list[str]:
    """The services from the first to this span, each once where spans of one follow each other."""
    by_id = {span.span_id: span for span in spans}
    way = [last.service]
    while last.parent_id in by_id:
        last = by_id[last.parent_id]
        if last.service != way[0]:
            way.insert(0, last.service)
    return ["portal", *way] if last.parent_id == PORTALS_SPAN else ["?", *way]


async def exported(collector: Collector, trace_id: str) -> list[Span]:
    """The trace, once all of it has come: each process exports for itself, and the last may be the first to."""

    def complete() -> bool:
        spans = collector.trace(trace_id)
        published = {span.service for span in spans if span.name == "publish"}
        return published >= {"intake", "eligibility", "disbursement"} and bool(handling(spans, "metrics", AWARDED))

    await eventually(complete)
    return collector.trace(trace_id)


async def test_one_trace_goes_from_the_portal_to_the_figures(followed: tuple[str, str], collector: Collector) -> None:
    application_id, trace_id = followed
    spans = await exported(collector, trace_id)
    [figured] = handling(spans, "metrics", AWARDED)
    assert way_up(spans, figured) == ["portal", "intake", "eligibility", "disbursement", "metrics"]

    [asked] = [span for span in spans if span.parent_id == PORTALS_SPAN]
    assert (asked.service, asked.name) == ("intake", "POST /v1/applications")
    assert asked.attributes["http.response.status_code"] == 201
    [taken_in] = handling(spans, "eligibility", SUBMITTED)
    assert taken_in.parent_id == asked.span_id
    assert (trace_id, asked.span_id) in taken_in.links
    assert taken_in.attributes["application_id"] == application_id
    assert [span.service for span in spans if span.name == "assess"] == ["eligibility"]


async def test_the_logs_tell_the_same_story(followed: tuple[str, str], collector: Collector, system: Stack) -> None:
    application_id, trace_id = followed
    await exported(collector, trace_id)
    lines = search(system, application_id)
    assert [line for line in lines if line.get("trace_id") != trace_id] == []
    story = [(line["service"], line["event"], line.get("type")) for line in lines]
    told = [
        ("intake", "event_announced", SUBMITTED),
        ("eligibility", "event_handled", SUBMITTED),
        ("eligibility", "event_announced", APPROVED),
        ("disbursement", "event_handled", APPROVED),
        ("disbursement", "event_announced", AWARDED),
        ("metrics", "event_handled", AWARDED),
    ]
    assert [one for one in story if one in told] == told, "in this order, each once"
    assert {line["application_id"] for line in lines if "application_id" in line} == {application_id}
    logged = {line["span_id"] for line in lines}
    await eventually(lambda: logged <= {span.span_id for span in collector.trace(trace_id)})


def search(system: Stack, application_id: str) -> list[dict[str, Any]]:
    """What `drawdown logs --application` finds."""
    command = [str(Path(sys.executable).with_name("drawdown")), "logs", "--application", application_id]
    found = subprocess.run(
        [*command, "--home", str(system.config.home.path)], capture_output=True, text=True, check=True
    ).stdout
    return [json.loads(line.split("|", 1)[1]) for line in found.splitlines()]
