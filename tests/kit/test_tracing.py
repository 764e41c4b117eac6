"""Trace context is read as the standard has it; spans are made where they are wanted, and of a batch not too many."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from secrets import token_hex
from uuid import uuid4

import pytest

from kit import exporting, tracing
from kit.messages import Message
from kit.spans import MOST_LINKS, SINGLE_A_SECOND, SINGLE_AT_ONCE, Spans
from kit.tracing import TRACEPARENT
from kit.tracing_settings import TracingSettings
from tests.kit.collector import Collector, Span
from tests.kit.conftest import company, event
from tests.kit.processes import ROOT

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize("flags", ["00", "01", "03", "ff"])
def test_a_context_is_read_as_it_stands(flags: str) -> None:
    given = f"00-{TRACE}-{SPAN}-{flags}"
    assert tracing.parse(given.encode()) == given
    assert tracing.is_sampled(given) is (flags != "00")


def test_a_later_version_is_read_as_far_as_ours_goes() -> None:
    assert tracing.parse(f"01-{TRACE}-{SPAN}-01-what-comes".encode()) == f"00-{TRACE}-{SPAN}-01"
    assert tracing.parse(f"cc-{TRACE}-{SPAN}-01".encode()) == f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    "given",
    [
        None,
        b"",
        b"nonsense",
        f"00-{TRACE}-{SPAN}".encode(),
        f"00-{TRACE}-{SPAN}-1".encode(),
        f"00-{TRACE}-{SPAN}-01-more".encode(),
        f"01-{TRACE}-{SPAN}-01more".encode(),
        f"ff-{TRACE}-{SPAN}-01".encode(),
        f"00-{'0' * 32}-{SPAN}-01".encode(),
        f"00-{TRACE}-{'0' * 16}-01".encode(),
        f"00-{TRACE.upper()}-{SPAN}-01".encode(),
        f"00-{TRACE}-{SPAN}-zz".encode(),
        b"\xff" * 55,
        b"01-" + b"x" * 100_000,
    ],
    ids=[
        "none", "empty", "nonsense", "no flags", "half a flag", "more in version 00", "no dash before more",
        "version ff", "no trace", "no span", "upper case", "no hexadecimal flags", "no text", "long",
    ],
)  # fmt: skip
def test_what_is_no_context_is_none(given: bytes | None) -> None:
    assert tracing.parse(given) is None


def test_a_new_trace_is_one_and_nobody_records_it() -> None:
    made = tracing.fresh()
    assert tracing.parse(made.encode()) == made
    assert not tracing.is_sampled(made)


@pytest.mark.parametrize(
    ("variables", "is_on"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, False),
        ({"OTEL_SDK_DISABLED": "false", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
    ],
    ids=["nothing", "empty", "endpoint", "endpoint of traces", "otlp", "none", "disabled", "not disabled"],
)
def test_the_standard_variables_switch_it_on(
    variables: dict[str, str], is_on: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert TracingSettings().is_on is is_on


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("OTEL_TRACES_EXPORTER", "jaeger", "OTEL_TRACES_EXPORTER: input should be 'otlp' or 'none'"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_PROTOCOL: input should be 'http/protobuf'"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "OTEL_EXPORTER_OTLP_ENDPOINT: value error, must begin with"),
        ("OTEL_TRACES_SAMPLER_ARG", "5%", "OTEL_TRACES_SAMPLER_ARG: input should be a valid number"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip", "OTEL_EXPORTER_OTLP_COMPRESSION: input should be 'none'"),
    ],
    ids=["exporter", "protocol", "endpoint", "sampler's argument", "compression"],
)
def test_a_wrong_variable_is_one_line_and_exit_code_78(name: str, value: str, says: str) -> None:
    found = python("configure('intake', '0')", **({"OTEL_TRACES_EXPORTER": "otlp"} | {name: value}))
    assert (found.returncode, len(found.stderr.splitlines())) == (78, 1), found.stderr
    assert says in found.stderr


def test_switched_off_nothing_of_the_sdk_is_imported() -> None:
    look = "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])"
    found = python(f"configure('intake', '0'); import intake.main; {look}")
    assert found.stdout.strip() == "[]", found.stderr


_ASK: str = """
import asyncio, httpx
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from kit.http import create_app

exporter = InMemorySpanExporter()
trace.set_tracer_provider(TracerProvider())
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(exporter))
app = create_app(service='intake', title='t', description='d', trouble={})

@app.get('/wrong')
async def wrong(number: int) -> None: ...

async def ask():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url='http://here') as client:
        return (await client.get('/wrong?number=6222020200012345678x')).status_code

print(asyncio.run(ask()), len(exporter.get_finished_spans()))
"""


def test_the_frameworks_own_spans_are_off_whoever_has_set_a_provider() -> None:
    """They would take the input of a failed validation along: accounts, names."""
    found = python(_ASK, FASTAPI_OTEL_AUTO_CONFIGURE="true")
    assert found.stdout.strip() == "422 0", found.stderr


def python(code: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run code in a process of its own that has these `OTEL_*` variables and no others."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return subprocess.run(
        [sys.executable, "-c", f"import sys; from kit.tracing_settings import configure; {code}"],
        env=inherited | variables, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


# --- the spans of a batch -------------------------------------------------------------------------------------


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with Collector() as found:
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        yield found


@pytest.fixture
def sent(collector: Collector) -> Iterator[Callable[[], list[Span]]]:
    """Spans are made and sent to a collector; what ends it and returns those that came."""
    spans: Spans = exporting.begin("test", "0", TracingSettings())
    tracing.use(spans)

    def end() -> list[Span]:
        tracing.use(None)
        assert spans.end(5)
        return collector.spans

    yield end
    tracing.use(None)


def context(flags: str = "01") -> str:
    return f"00-{token_hex(16)}-{token_hex(8)}-{flags}"


def message(traceparent: str | None) -> Message:
    told = event(company())
    return Message(uuid4(), "told", datetime.now(UTC), told.applicant, "topic", 3, 17, traceparent, told)


def handle(*messages: Message) -> list[Message]:
    with tracing.work("process", "group") as work:
        return work.of(list(messages))


def test_one_message_has_one_span_below_its_cause(sent: Callable[[], list[Span]]) -> None:
    given = message(context())
    [handled] = handle(given)
    [span] = sent()
    assert given.traceparent is not None
    assert (span.trace_id, span.parent_id) == (given.traceparent[3:35], given.traceparent[36:52])
    assert span.links == [(span.trace_id, span.parent_id)]
    assert span.name == "process topic"
    assert span.attributes == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.consumer.group.name": "group",
        "messaging.destination.name": "topic",
        "messaging.destination.partition.id": "3",
        "messaging.kafka.offset": 17,
        "messaging.message.id": str(given.id),
        "event.type": "told",
        "application_id": str(given.data.application_id),  # type: ignore[attr-defined]
    }
    assert handled.traceparent == f"00-{span.trace_id}-{span.span_id}-01", "what it causes is below this span"
    assert (handled.id, handled.data) == (given.id, given.data)


def test_many_messages_of_one_cause_have_one_span(sent: Callable[[], list[Span]]) -> None:
    cause = context()
    handled = handle(*[message(cause) for _ in range(5)])
    [span] = sent()
    assert (span.parent_id, span.attributes["messaging.batch.message_count"]) == (cause[36:52], 5)
    assert {one.traceparent for one in handled} == {f"00-{span.trace_id}-{span.span_id}-01"}


def test_a_batch_of_many_causes_has_one_span_with_links_and_each_followed_message_its_own(
    sent: Callable[[], list[Span]],
) -> None:
    given = [message(context()), message(context("00")), message(None), message(context())]
    handled = handle(*given)
    found = sent()
    [batch] = [span for span in found if span.name == "process batch"]
    causes = [one.traceparent for one in (given[0], given[3]) if one.traceparent]
    assert batch.parent_id == ""
    assert batch.links == [(cause[3:35], cause[36:52]) for cause in causes]
    singles = {span.parent_id: span for span in found if span is not batch}
    assert singles.keys() == {cause[36:52] for cause in causes}
    assert all(span.links == [(batch.trace_id, batch.span_id)] for span in singles.values())
    assert [one.traceparent for one in handled[1:3]] == [given[1].traceparent, None], "handed on as they came"
    assert handled[0].traceparent == f"00-{causes[0][3:35]}-{singles[causes[0][36:52]].span_id}-01"
    assert len({(span.began, span.ended) for span in found}) <= 3, "they last as long as the batch"


def test_messages_that_nobody_follows_have_no_span(sent: Callable[[], list[Span]]) -> None:
    given = [message(context("00")), message(None)]
    assert handle(*given) == given
    assert sent() == []


def test_of_a_large_batch_so_many_are_followed_and_no_more(sent: Callable[[], list[Span]]) -> None:
    began = datetime.now(UTC)
    given = [message(context()) for _ in range(1000)]
    handled = handle(*given)
    seconds = (datetime.now(UTC) - began).total_seconds()
    found = sent()
    [batch] = [span for span in found if span.name == "process batch"]
    assert len(batch.links) == MOST_LINKS
    assert SINGLE_AT_ONCE <= len(found) - 1 <= SINGLE_AT_ONCE + SINGLE_A_SECOND * seconds + 1
    pairs = zip(given, handled, strict=True)
    assert all((a.traceparent or "")[:35] == (b.traceparent or "")[:35] for a, b in pairs), "each goes on in its trace"


def test_work_that_fails_says_so_and_not_what_of(sent: Callable[[], list[Span]]) -> None:
    def refuse() -> None:
        with tracing.work("process", "group") as work:
            work.of([message(context())])
            raise ValueError("6222020200012345678 is refused")

    with pytest.raises(ValueError, match="6222"):
        refuse()
    [span] = sent()
    assert span.is_error
    assert "6222" not in str(span)


def test_log_lines_have_the_trace_of_what_is_handled_and_none_after(sent: Callable[[], list[Span]]) -> None:
    with tracing.work("process", "group") as work:
        [handled] = work.of([message(context())])
        assert TRACEPARENT.get() == handled.traceparent
    assert TRACEPARENT.get() is None
    sent()
