"""PostgreSQL, as each service's own database tells it: rows of the runtime board."""

from typing import Final

from deploy.grafana.model import (
    BYTES,
    BYTES_PER_SECOND,
    COUNT,
    ORANGE,
    PER_SECOND,
    RED,
    SECONDS,
    SHARE,
    Link,
    Panel,
    Query,
    Row,
    label,
    to_board,
)

_OF: Final = 'service=~"$service"'
_SERVICE: Final = Link("This service", to_board("services", service=label("service")))

WORK: Final = Row(
    "PostgreSQL: work",
    (
        Panel(
            id=1,
            title="Transactions",
            question="How much does each database do? Transactions that ended; many rolled back are refusals or "
            "conflicts.",
            queries=(Query(f"service_outcome:database_transactions:rate5m{{{_OF}}}", "{{service}} {{outcome}}"),),
            unit=PER_SECOND,
            width=8,
            least=0,
            links=(_SERVICE,),
        ),
        Panel(
            id=2,
            title="Time in statements, per transaction",
            question="Do statements become slower? Time that sessions spent in statements, by transactions that ended.",
            queries=(
                Query(
                    f"service:database_active_seconds:rate5m{{{_OF}}}"
                    f" / sum by (service) (service_outcome:database_transactions:rate5m{{{_OF}}})",
                    "{{service}}",
                ),
            ),
            unit=SECONDS,
            width=8,
            least=0,
            links=(_SERVICE,),
        ),
        Panel(
            id=3,
            title="Busy sessions",
            question="How many sessions work at the same time, on average? Near the number of cores the server is "
            "full.",
            queries=(Query(f"service:database_active_seconds:rate5m{{{_OF}}}", "{{service}}"),),
            unit=COUNT,
            width=8,
            least=0,
            decimals=2,
        ),
        Panel(
            id=4,
            title="Oldest open transaction",
            question="Does a transaction stay open? It keeps dead rows from being removed, and every outbox of the "
            "server "
            "from being published.",
            queries=(Query(f"service:database_oldest_transaction_seconds:max{{{_OF}}}", "{{service}}"),),
            unit=SECONDS,
            width=8,
            least=0,
            steps=((30, ORANGE), (120, RED)),
            links=(Link("Outboxes", to_board("kafka")),),
        ),
        Panel(
            id=5,
            title="Sessions that wait for a lock",
            question="Do transactions stand in each other's way? A few for a moment are normal.",
            queries=(
                Query(f"service:database_waiting_sessions:max{{{_OF}}}", "{{service}}"),
                Query(f"service:database_deadlocks:increase1h{{{_OF}}}", "{{service}} deadlocks in an hour"),
            ),
            unit=COUNT,
            width=8,
            least=0,
        ),
        Panel(
            id=6,
            title="Blocks found in memory",
            question="Does the data that is worked on fit into memory? The share of blocks that were not read from "
            "disk.",
            queries=(
                Query(
                    f'sum by (service) (service_source:database_blocks:rate5m{{{_OF}, source="cache"}})'
                    f" / sum by (service) (service_source:database_blocks:rate5m{{{_OF}}})",
                    "{{service}}",
                ),
            ),
            unit=SHARE,
            width=8,
            most=1,
            decimals=2,
        ),
    ),
)

CONNECTIONS: Final = Row(
    "PostgreSQL: connections",
    (
        Panel(
            id=10,
            title="Connections of the server",
            question="Are connections running out? Taken of what the server allows, of all databases on it.",
            queries=(Query(f"service:database_server_connections:ratio{{{_OF}}}", "the server of {{service}}"),),
            unit=SHARE,
            width=8,
            least=0,
            most=1,
            steps=((0.8, ORANGE), (0.95, RED)),
        ),
        Panel(
            id=11,
            title="Sessions by state",
            question="What do the sessions of each database do? Idle in a transaction should be short; other ones "
            "belong to "
            "other logins.",
            queries=(Query(f"service_state:database_sessions:max{{{_OF}}} > 0", "{{service}} {{state}}"),),
            unit=COUNT,
            width=8,
            least=0,
            links=(_SERVICE,),
        ),
        Panel(
            id=12,
            title="Pools of connections",
            question="Do loops or callers run out of connections? Taken of what a process keeps, of its fullest "
            "process.",
            queries=(Query(f"service_connections:database_pool:ratio{{{_OF}}}", "{{service}} {{connections}}"),),
            unit=SHARE,
            width=8,
            least=0,
            most=1,
            steps=((0.9, ORANGE),),
            links=(_SERVICE,),
        ),
    ),
)

SPACE: Final = Row(
    "PostgreSQL: space",
    (
        Panel(
            id=20,
            title="Size",
            question="How fast does each database grow? On disk, indexes and dead rows included.",
            queries=(Query(f"service:database_size_bytes:max{{{_OF}}}", "{{service}}"),),
            unit=BYTES,
            width=8,
            least=0,
        ),
        Panel(
            id=21,
            title="Tables with most dead rows",
            question="Does vacuum keep up? Dead rows as a share of all, of tables with 1,000 dead rows at least; a "
            "fifth is "
            "where vacuum begins by default.",
            queries=(
                Query(
                    f"(topk(10, service_table:database_dead_rows:max{{{_OF}}} >= 1000)"
                    f" / on (service, table) (service_table:database_dead_rows:max{{{_OF}}}"
                    f" + service_table:database_live_rows:max{{{_OF}}}))"
                    f" or on (service) 0 * service:up:sum{{{_OF}}}",
                    "{{service}} {{table}}",
                ),
            ),
            unit=SHARE,
            width=8,
            least=0,
            most=1,
        ),
        Panel(
            id=22,
            title="Largest tables",
            question="Which tables grow? Rows that they hold, as PostgreSQL estimates them.",
            queries=(Query(f"topk(10, service_table:database_live_rows:max{{{_OF}}})", "{{service}} {{table}}"),),
            unit=COUNT,
            width=8,
            least=0,
        ),
        Panel(
            id=23,
            title="Partitions",
            question="Are the daily partitions of outbox and inbox made and dropped? As many as days are kept, and a "
            "week.",
            queries=(Query(f"service_table:database_partitions:max{{{_OF}}}", "{{service}} {{table}}"),),
            unit=COUNT,
            width=8,
            least=0,
        ),
        Panel(
            id=24,
            title="Temporary files",
            question="Do statements need more memory than they get? What they write to temporary files.",
            queries=(Query(f"service:database_temporary_bytes:rate5m{{{_OF}}}", "{{service}}"),),
            unit=BYTES_PER_SECOND,
            width=8,
            least=0,
        ),
        Panel(
            id=25,
            title="Transactions that are not frozen",
            question="Does PostgreSQL come round with its transaction ids? Vacuum forces itself at 200 million; at "
            "2,000 "
            "million no write is taken any more.",
            queries=(Query(f"service:database_unfrozen_transactions:max{{{_OF}}}", "{{service}}"),),
            unit=COUNT,
            width=8,
            least=0,
        ),
    ),
)
