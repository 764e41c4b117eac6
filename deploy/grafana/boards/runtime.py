"""What the services run on: PostgreSQL (``postgres``), and their processes."""

from typing import Final

from deploy.grafana.boards import postgres
from deploy.grafana.model import (
    BYTES,
    COUNT,
    MOMENT,
    ORANGE,
    PER_SECOND,
    RED,
    SECONDS,
    SHARE,
    Board,
    Link,
    Panel,
    Query,
    Row,
    Variable,
    cell,
    label,
    to_board,
)

_OF: Final = 'service=~"$service"'
_SERVICE: Final = Link("This service", to_board("services", service=label("service")))

_PROCESSES: Final = Row(
    "Processes",
    (
        Panel(
            id=30,
            title="CPU",
            question="How busy is each process? 1 is a whole core, and a process uses hardly more than one.",
            queries=(
                Query(
                    f"sum by (service, instance) (rate(process_cpu_seconds_total{{{_OF}}}[$__rate_interval]))",
                    "{{service}} {{instance}}",
                ),
            ),
            unit=COUNT,
            width=8,
            least=0,
            decimals=2,
            steps=((0.9, ORANGE),),
            links=(_SERVICE,),
        ),
        Panel(
            id=31,
            title="Memory",
            question="Does a process grow without end? What it holds in memory (RSS).",
            queries=(
                Query(
                    f"max by (service, instance) (process_resident_memory_bytes{{{_OF}}})", "{{service}} {{instance}}"
                ),
            ),
            unit=BYTES,
            width=8,
            least=0,
            links=(_SERVICE,),
        ),
        Panel(
            id=32,
            title="Event loop is late by",
            question="Is a process too busy to answer? How late its event loop ran a timer; above 100 ms callers "
            "feel it.",
            queries=(Query(f"service:event_loop_lag_seconds:max{{{_OF}}}", "{{service}}"),),
            unit=SECONDS,
            width=8,
            least=0,
            steps=((0.1, ORANGE), (1, RED)),
            links=(_SERVICE,),
        ),
        Panel(
            id=33,
            title="Open files and sockets",
            question="Do connections or files leak? Of what the process may open.",
            queries=(
                Query(
                    f"max by (service, instance) (process_open_fds{{{_OF}}} / process_max_fds{{{_OF}}})",
                    "{{service}} {{instance}}",
                ),
            ),
            unit=SHARE,
            width=8,
            least=0,
            steps=((0.8, RED),),
        ),
        Panel(
            id=34,
            title="Rounds of the garbage collector",
            question="Does Python collect garbage more than it should? Rounds a second; full ones (generation 2) are "
            "rare.",
            queries=(
                Query(
                    f"sum by (service, generation) (rate(python_gc_collections_total{{{_OF}}}[$__rate_interval]))",
                    "{{service}} {{generation}}",
                ),
            ),
            unit=PER_SECOND,
            width=8,
            least=0,
        ),
        Panel(
            id=35,
            title="What runs",
            question="Which version runs, and since when?",
            queries=(
                Query(
                    f"max by (service, instance, version) (drawdown_build_info{{{_OF}}})"
                    " * on (service, instance) group_left ()"
                    f" max by (service, instance) (process_start_time_seconds{{{_OF}}}) * 1000",
                    "since",
                ),
            ),
            unit=MOMENT,
            shape="table",
            width=8,
            names={"service": "service", "instance": "process", "version": "version"},
            links=(Link("This service", to_board("services", service=cell("service"))),),
        ),
    ),
)

BOARD: Final = Board(
    name="runtime",
    title="Drawdown: PostgreSQL and runtime",
    question="Do the databases and processes keep up, and will they last?",
    since="now-6h",
    rows=(postgres.WORK, postgres.CONNECTIONS, postgres.SPACE, _PROCESSES),
    variables=(Variable("service", "Service", "service:up:sum", "service", many=True),),
)
