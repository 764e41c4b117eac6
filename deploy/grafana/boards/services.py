"""One service: how many calls, how many fail, how long they take, what its loops do, and its promises."""

from typing import Final

from deploy.grafana.boards import promises
from deploy.grafana.model import (
    COUNT,
    GREEN,
    ORANGE,
    PER_SECOND,
    RED,
    REQUESTS,
    SECONDS,
    SHARE,
    Board,
    Link,
    Panel,
    Query,
    Row,
    Variable,
    to_board,
)
from deploy.grafana.render import explore

_OF: Final = 'service="$service"'
_NONE: Final = f"0 * service:up:sum{{{_OF}}}"
_TRACES: Final = Link("Traces of this service", explore({"queryType": "search", "service": "${service}"}))
_TRACE: Final = Link("Trace with this id", explore({"query": "${trace}"}))
_RUNTIME: Final = Link("Its database and processes", to_board("runtime", service="${service}"))
_KAFKA: Final = Link("Its consumer and outbox", to_board("kafka", group="${service}"))
_CALLS: Final = f"service_route_status:http_requests:rate5m{{{_OF}}}"
_FAILED: Final = f'service_route_status:http_requests:rate5m{{{_OF}, status=~"5.."}}'
_TIMES: Final = f"service_route_le:http_request_duration_seconds:rate5m{{{_OF}}}"


def _quantiles(series: str) -> tuple[Query, ...]:
    return tuple(
        Query(f"histogram_quantile({share}, sum by (le) ({series}))", legend)
        for share, legend in (("0.5", "50 of 100"), ("0.95", "95 of 100"), ("0.99", "99 of 100"))
    )


_NOW: Final = Row(
    "Now",
    (
        Panel(
            id=1,
            title="Processes",
            question="Is the service there? Processes that answer a scrape.",
            queries=(Query(f"service:up:sum{{{_OF}}}", "processes"),),
            unit=COUNT,
            shape="number",
            width=4,
            height=5,
            steps=((1, GREEN),),
            below=RED,
            alerts=("ServiceDown",),
        ),
        Panel(
            id=2,
            title="Each process",
            question="Does a process not answer while others do? 1 is up, 0 is down.",
            queries=(Query(f"up{{{_OF}}}", "{{instance}}"),),
            unit=COUNT,
            width=8,
            height=5,
            least=0,
            most=1,
            texts={"1": ("up", GREEN), "0": ("down", RED)},
            alerts=("ReplicaDown",),
        ),
        Panel(
            id=3,
            title="Last minutes",
            question="How is the service, in three figures? Calls, the share that failed on its side, and the time "
            "within "
            "which 95 of 100 were answered.",
            queries=(
                Query(f"sum({_CALLS})", "calls a second", REQUESTS),
                Query(f"(sum({_FAILED}) or vector(0)) / sum({_CALLS})", "failed", SHARE),
                Query(f"histogram_quantile(0.95, sum by (le) ({_TIMES}))", "95 of 100 within", SECONDS),
            ),
            unit=COUNT,
            shape="number",
            width=12,
            height=5,
            decimals=3,
        ),
    ),
)

_HTTP: Final = Row(
    "Calls",
    (
        Panel(
            id=10,
            title="Calls",
            question="How much is asked, and what is answered? By HTTP status.",
            queries=(Query(f"sum by (status) ({_CALLS})", "{{status}}"),),
            unit=REQUESTS,
            shape="stack",
            width=8,
            least=0,
            links=(_TRACES,),
        ),
        Panel(
            id=11,
            title="Failed",
            question="How many calls fail on the service's side? The share of answers 5xx: a bug, a database that is "
            "away, "
            "or overload.",
            queries=(Query(f"(sum({_FAILED}) or vector(0)) / sum({_CALLS})", "failed"),),
            unit=SHARE,
            width=8,
            least=0,
            links=(_TRACES,),
        ),
        Panel(
            id=12,
            title="Time to answer",
            question="How long do callers wait? Half, 95 and 99 of 100 calls were answered within.",
            queries=_quantiles(_TIMES),
            unit=SECONDS,
            width=8,
            least=0,
            links=(_TRACES,),
        ),
        Panel(
            id=13,
            title="Routes",
            question="Which routes are used, slow, or fail? Over the last five minutes.",
            queries=(
                Query(f"sum by (route) ({_CALLS})", "calls a second", REQUESTS),
                Query(
                    f"(sum by (route) ({_FAILED}) or 0 * sum by (route) ({_CALLS})) / sum by (route) ({_CALLS})",
                    "failed",
                    SHARE,
                ),
                Query(f"histogram_quantile(0.95, sum by (route, le) ({_TIMES}))", "95 of 100 within", SECONDS),
            ),
            unit=COUNT,
            shape="table",
            width=16,
            decimals=3,
            names={"route": "route"},
            sort_by="calls a second",
            links=(_TRACES,),
        ),
        Panel(
            id=14,
            title="Held back",
            question="Is somebody calling too often, or everybody at once? Calls refused by the limit of their "
            "caller, a "
            "second, and calls that wait at the door.",
            queries=(
                Query(
                    f"sum by (kind) (rate(drawdown_rate_limited_total{{{_OF}}}[$__rate_interval])) or on () {_NONE}",
                    "refused: {{kind}}",
                ),
                Query(f"max(drawdown_http_line_requests{{{_OF}}})", "wait at the door"),
            ),
            unit=COUNT,
            width=8,
            least=0,
        ),
    ),
)

_LOOPS: Final = Row(
    "Events and loops",
    (
        Panel(
            id=20,
            title="Events handled",
            question="Does the service do its part? Events taken from Kafka, by what became of them.",
            queries=(Query(f"service_outcome:events_processed:rate5m{{{_OF}}}", "{{outcome}}"),),
            unit=PER_SECOND,
            width=8,
            least=0,
            links=(_KAFKA, _TRACES),
        ),
        Panel(
            id=21,
            title="From event to effect",
            question="How long from what happened elsewhere to its effect here?",
            queries=_quantiles(f"service_le:event_delay_seconds:rate5m{{{_OF}}}"),
            unit=SECONDS,
            width=8,
            least=0,
            links=(_KAFKA,),
        ),
        Panel(
            id=22,
            title="A batch's transaction",
            question="How long does a batch of events hold its locks?",
            queries=_quantiles(f"rate(drawdown_batch_seconds_bucket{{{_OF}}}[$__rate_interval])"),
            unit=SECONDS,
            width=8,
            least=0,
            links=(_RUNTIME,),
        ),
        Panel(
            id=23,
            title="Writes that wait",
            question="Do callers wait for their write? Age of the oldest in line; services without such a line show 0.",
            queries=(Query(f"service:write_queue_oldest_seconds:max{{{_OF}}} or {_NONE}", "oldest"),),
            unit=SECONDS,
            width=8,
            least=0,
            steps=((2, ORANGE),),
        ),
        Panel(
            id=24,
            title="Deadlines' steps that fail",
            question="Does the step of a missed deadline fail? In a quarter of an hour; it is a bug, and the log has "
            "it.",
            queries=(Query(f"service:clocks_failed:increase15m{{{_OF}}} or {_NONE}", "failed"),),
            unit=COUNT,
            width=8,
            least=0,
            steps=((1, ORANGE),),
            alerts=("ClocksFailing",),
        ),
        Panel(
            id=25,
            title="Event loop is late by",
            question="Is the service too busy to answer? Above 100 ms callers feel it.",
            queries=(Query(f"service:event_loop_lag_seconds:max{{{_OF}}}", "late"),),
            unit=SECONDS,
            width=8,
            least=0,
            steps=((0.1, ORANGE), (1, RED)),
            links=(_RUNTIME,),
        ),
    ),
)

BOARD: Final = Board(
    name="services",
    title="Drawdown: a service",
    question="How many calls does this service get, how many fail, how long do they take, and do its loops keep up?",
    since="now-3h",
    rows=(_NOW, _HTTP, _LOOPS, promises.PROMISES, promises.OUTSIDE),
    variables=(Variable("service", "Service", "service:up:sum", "service"),),
    links=(_TRACES, _TRACE, _RUNTIME, _KAFKA),
    trace=True,
)
