"""What a service promises, and what it depends on outside: rows of its board."""

from typing import Final

from deploy.grafana.model import COUNT, ORANGE, RED, SECONDS, Panel, Query, Row

_OF: Final = 'service="$service"'


def _burn(*windows: str) -> tuple[Query, ...]:
    return tuple(
        Query(
            f"slo:errors:ratio{window}{{{_OF}}} / on (slo) (1 - slo:objective:ratio{{{_OF}}})",
            f"{{{{slo}}}} in {window}",
        )
        for window in windows
    )


PROMISES: Final = Row(
    "Promises: how many times too fast the error budget burns",
    (
        Panel(
            id=30,
            title="Now",
            question="Does the budget burn so fast that it is gone in two days? 1 is the pace that lasts 30 days; at "
            "14.4 "
            "in both windows somebody is woken. Only services that promise something have lines.",
            queries=_burn("1h", "5m"),
            unit=COUNT,
            width=8,
            least=0,
            decimals=1,
            steps=((14.4, RED),),
            alerts=("ErrorBudgetBurnsFast",),
        ),
        Panel(
            id=31,
            title="Within hours",
            question="Is the budget gone in five days? At 6 in both windows somebody is woken.",
            queries=_burn("6h", "30m"),
            unit=COUNT,
            width=8,
            least=0,
            decimals=1,
            steps=((6, RED),),
            alerts=("ErrorBudgetBurns",),
        ),
        Panel(
            id=32,
            title="Within days",
            question="Is the budget gone before its 30 days are over? At 1 in both windows there is a ticket.",
            queries=_burn("3d", "6h"),
            unit=COUNT,
            width=8,
            least=0,
            decimals=1,
            steps=((1, ORANGE),),
            alerts=("ErrorBudgetBurnsSlowly",),
        ),
    ),
)

OUTSIDE: Final = Row(
    "Outside, whichever service is chosen",
    (
        Panel(
            id=40,
            title="Registers that are left alone",
            question="Does an outside register not answer? 1 while eligibility leaves it alone; applications wait "
            "for it.",
            queries=(Query("register:circuit_open:max", "{{register}}"),),
            unit=COUNT,
            width=6,
            least=0,
            most=1,
            steps=((1, RED),),
            alerts=("RegisterAway",),
        ),
        Panel(
            id=41,
            title="Time of a look-up, 95 of 100",
            question="Are the registers slow? By register, tries and pauses included.",
            queries=(
                Query(
                    "histogram_quantile(0.95, sum by (register, le) "
                    "(rate(drawdown_register_lookup_seconds_bucket[$__rate_interval])))",
                    "{{register}}",
                ),
            ),
            unit=SECONDS,
            width=6,
            least=0,
        ),
        Panel(
            id=42,
            title="Portal's streams and webhooks",
            question="Is the portal told? Open streams of events, and deliveries that wait for webhooks.",
            queries=(
                Query("sum(drawdown_push_streams)", "streams"),
                Query("max(drawdown_webhook_pending_deliveries)", "deliveries that wait"),
            ),
            unit=COUNT,
            width=6,
            least=0,
        ),
        Panel(
            id=43,
            title="Oldest delivery that waits",
            question="How late is the portal told? Age of the oldest delivery that waits for an enabled webhook.",
            queries=(Query("max(drawdown_webhook_oldest_pending_seconds)", "oldest"),),
            unit=SECONDS,
            width=6,
            least=0,
        ),
    ),
)
