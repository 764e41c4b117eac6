"""Log lines have the same keys whoever wrote them, and say which trace they belong to."""

import json
import logging as standard
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from kit import logging
from kit.following import belongs_to, log_handled, log_said
from kit.messages import Message
from kit.outbox import Announcements
from kit.tracing import TRACEPARENT
from tests.kit.broker import record_of
from tests.kit.conftest import NOW, company, event

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "0067002902071234"  # a span of digits only, as an account's number
CONTEXT = f"00-{TRACE}-{SPAN}-01"


@pytest.fixture
def configure() -> Iterator[Callable[..., None]]:
    """What begins to log as a service does, to what stdout is then."""
    root, libraries = standard.getLogger(), [standard.getLogger(name) for name in ("aiokafka", "httpx")]
    levels = [library.level for library in libraries]
    handlers, level, before = root.handlers, root.level, structlog.get_config()
    yield lambda log_format="json", level="INFO": logging.configure(
        "test", log_format=log_format, level=level, version="1.2.3"
    )
    root.handlers, root.level = handlers, level
    for library, before_it in zip(libraries, levels, strict=True):
        library.setLevel(before_it)
    structlog.configure(**before)


@pytest.fixture
def traced() -> Iterator[None]:
    before = TRACEPARENT.set(CONTEXT)
    yield
    TRACEPARENT.reset(before)


def lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


@pytest.mark.usefixtures("traced")
def test_ours_and_a_librarys_have_the_same_keys(
    configure: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    configure()
    logging.get_logger("kit.test").warning("said", application_id="one")
    standard.getLogger("library").warning("said")
    ours, theirs = lines(capfd)
    assert ours.pop("application_id") == "one"
    assert ours.keys() == theirs.keys()
    assert ours.keys() == {"time", "level", "event", "service", "version", "logger", "trace_id", "span_id"}
    for line in (ours, theirs):
        assert (line["service"], line["version"], line["level"], line["event"]) == ("test", "1.2.3", "warning", "said")
        assert (line["trace_id"], line["span_id"]) == (TRACE, SPAN)


def test_a_line_that_belongs_to_no_trace_says_nothing_of_one(
    configure: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    configure()
    logging.get_logger("kit.test").info("said")
    [line] = lines(capfd)
    assert not {"trace_id", "span_id", "application_id"} & line.keys()


def test_json_where_nobody_looks_and_readable_on_a_terminal(
    configure: Callable[..., None], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure("auto")
    logging.get_logger("kit.test").info("said", topic="t")
    [line] = lines(capfd)
    assert line["topic"] == "t"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    configure("auto")
    logging.get_logger("kit.test").info("said", topic="t")
    shown = capfd.readouterr().out
    assert "said" in shown
    assert not shown.startswith("{")


def message() -> Message:
    told = event(company())
    return Message(told.recovery_id, "told", NOW, told.applicant, "topic", 0, 0, CONTEXT, told)


def test_events_have_lines_of_their_own_at_debug_and_at_info_none(
    configure: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    handled, said = message(), Announcements()
    with_cause = TRACEPARENT.get()
    said.traceparent = CONTEXT
    said.say(handled.data)
    said.traceparent = with_cause
    configure(level="INFO")
    log_handled([handled])
    log_said(said)
    assert lines(capfd) == []
    configure(level="DEBUG")
    log_handled([handled])
    log_said(said)
    first, second = lines(capfd)
    assert (first["event"], first["type"], first["topic"]) == ("event_handled", "told", "topic")
    assert (second["event"], second["type"]) == ("event_announced", "drawdown.recovery.demanded.v1")
    for line in (first, second):
        assert (line["trace_id"], line["application_id"]) == (TRACE, str(handled.data.application_id))  # type: ignore[attr-defined]
    assert TRACEPARENT.get() is None, "the line's own trace is the line's alone"


def test_a_record_that_cant_be_read_is_found_by_its_headers() -> None:
    record = record_of(event(company()), traceparent=CONTEXT)
    assert belongs_to(record) == {"trace_id": TRACE, "span_id": SPAN}, "its subject is no application"
    record.headers[:] = [("ce_subject", b"01A22805-850B-73AF-999A-48F12B5F646E"), ("traceparent", b"\xff\xfe")]
    assert belongs_to(record) == {"application_id": "01a22805-850b-73af-999a-48f12b5f646e"}
    record.headers[:] = [("ce_subject", b"\xff")]
    assert belongs_to(record) == {}
