"""The programme: three pools, what they reach, and how long they last."""

from typing import Final

from deploy.grafana.boards.shared import as_of
from deploy.grafana.model import (
    COUNT,
    DAYS,
    GREEN,
    OF_STATES,
    ORANGE,
    RED,
    SECONDS,
    SHARE,
    YUAN,
    Board,
    Link,
    Panel,
    Query,
    Row,
    cell,
    label,
    to_board,
)

_POOL: Final = Link("This pool", to_board("pool", pool=label("pool")))
_SCHEME: Final = Link("This scheme's applications", to_board("funnel", scheme=label("scheme")))

_NOW: Final = Row(
    "Now",
    (
        as_of(1, 5),
        Panel(
            id=2,
            title="Figures are behind by",
            question="Are the figures up to date? Seconds since the oldest event that they do not show yet; 0 is "
            "right.",
            queries=(Query('max by (group) (group_topic:lag_seconds:max{group="metrics"})', "behind"),),
            unit=SECONDS,
            shape="number",
            width=3,
            height=4,
            steps=((60, ORANGE), (300, RED)),
            alerts=("FiguresStale",),
            links=(Link("Lag of every service", to_board("kafka")),),
        ),
        Panel(
            id=3,
            title="Books",
            question="Do the books balance? Differences of all checks and pools together. Anything but 0 stops awards.",
            queries=(
                Query("sum(pool:imbalance_yuan:max) + sum(pool_check:reconciliation_difference_yuan:max)", "off by"),
            ),
            unit=YUAN,
            shape="number",
            width=3,
            height=4,
            steps=((0.005, RED),),
            texts={"0": ("balanced", GREEN)},
            links=(Link("Pools", to_board("pool")),),
        ),
        Panel(
            id=4,
            title="Alerts",
            question="Is anything wrong that somebody was told of? Alerts that fire now.",
            queries=(Query('count(ALERTS{alertstate="firing"}) or vector(0)', "alerts"),),
            unit=COUNT,
            shape="number",
            width=2,
            height=4,
            steps=((1, ORANGE),),
            links=(Link("Alerts", "/alerting/list"),),
        ),
        Panel(
            id=5,
            title="Money of the programme",
            question="How much money is there, and what became of it? Promised is what is not available any more, "
            "paid or not.",
            queries=(
                Query("sum(pool:appropriated_yuan:max)", "appropriated"),
                Query("sum(pool:promised_yuan:sum)", "promised"),
                Query("sum(pool:disbursed_yuan:max)", "paid"),
                Query("sum(pool_scheme:waitlisted_yuan:max) or vector(0)", "approved, waits for money"),
            ),
            unit=YUAN,
            shape="number",
            width=11,
            height=4,
            decimals=2,
            alerts=("FiguresMissing",),
        ),
    ),
)

_POOLS: Final = Row(
    "Pools",
    (
        Panel(
            id=10,
            title="Drawn down",
            question="How far is each pool drawn down? The promised share of its appropriation; warnings at 80 and "
            "95 %.",
            queries=(Query("pool:drawdown:ratio", "{{pool}}"),),
            unit=SHARE,
            shape="bars",
            width=8,
            decimals=1,
            least=0,
            most=1,
            steps=((0.8, ORANGE), (0.95, RED)),
            links=(_POOL,),
        ),
        Panel(
            id=11,
            title="Where the money is",
            question="Where is each pool's money, and how long does it last? The four states add up to the "
            "appropriation. Days are by the faster of the trends of 7 and 28 days; empty in a pool's first three days.",
            queries=(
                Query("max by (pool) (pool:appropriated_yuan:max)", "appropriated"),
                *(
                    Query(f'max by (pool) (pool_state:balance_yuan:max{{state="{state}"}})', state)
                    for state in OF_STATES
                ),
                Query("max by (pool) (pool:drawdown:ratio)", "drawn down", SHARE),
                Query("max by (pool) (pool:exhaustion_days:min)", "lasts", DAYS),
            ),
            unit=YUAN,
            shape="table",
            width=16,
            decimals=2,
            names={"pool": "pool"},
            links=(Link("This pool", to_board("pool", pool=cell("pool"))),),
        ),
        Panel(
            id=12,
            title="Drawdown over time",
            question="How fast is each pool drawn down? A line that stays level is a programme that stands still.",
            queries=(Query("pool:drawdown:ratio", "{{pool}}"),),
            unit=SHARE,
            width=8,
            least=0,
            steps=((0.8, ORANGE), (0.95, RED)),
            links=(_POOL,),
        ),
        Panel(
            id=13,
            title="Money by state",
            question="How does the money move from available to disbursed? All pools together.",
            queries=(Query("sum by (state) (pool_state:balance_yuan:max)", "{{state}}"),),
            unit=YUAN,
            shape="stack",
            width=8,
            least=0,
            colours=OF_STATES,
        ),
        Panel(
            id=14,
            title="Days until a pool is used up",
            question="When does the money end? By the faster of the trends of 7 and 28 days. Begins when there are "
            "three days of history; no line where nothing is promised on balance.",
            queries=(Query("pool:exhaustion_days:min < Inf", "{{pool}}"),),
            unit=DAYS,
            width=8,
            least=0,
            steps=((30, GREEN),),
            below=RED,
            links=(_POOL,),
        ),
    ),
)

_TARGETS: Final = Row(
    "Targets",
    (
        Panel(
            id=20,
            title="Targets reached",
            question="Does the programme reach what it promised? The reached share of each target, as far as it is "
            "known here.",
            queries=(Query("target:reached:ratio", "{{target}}"),),
            unit=SHARE,
            shape="bars",
            width=12,
            decimals=1,
            least=0,
            most=1,
        ),
        Panel(
            id=21,
            title="Targets in figures",
            question="How much is reached, and how much was promised? Areas are square metres, all else is counted.",
            queries=(
                Query("max by (target) (target:actual:max)", "reached"),
                Query("max by (target) (target:wanted:max)", "promised"),
                Query("max by (target) (target:reached:ratio)", "share", SHARE),
            ),
            unit=COUNT,
            shape="table",
            width=12,
            names={"target": "target"},
        ),
    ),
)

_SCHEMES: Final = Row(
    "Schemes",
    (
        Panel(
            id=30,
            title="Left of this year's envelopes",
            question="What may each scheme still promise this fiscal year? A scheme without an envelope is not shown.",
            queries=(Query("scheme:envelope_remaining_yuan:max", "{{scheme}}"),),
            unit=YUAN,
            shape="bars",
            width=8,
            height=10,
            least=0,
            links=(_SCHEME,),
        ),
        Panel(
            id=31,
            title="Paid by scheme",
            question="Which schemes is the money paid under? Net of what was recovered.",
            queries=(Query("sum by (scheme) (pool_scheme_district:disbursed_yuan:max)", "{{scheme}}"),),
            unit=YUAN,
            shape="bars",
            width=8,
            height=10,
            least=0,
            links=(_SCHEME,),
        ),
        Panel(
            id=32,
            title="Paid by district",
            question="Which districts is the money paid to? Net of what was recovered.",
            queries=(Query("sum by (district) (pool_scheme_district:disbursed_yuan:max)", "{{district}}"),),
            unit=YUAN,
            shape="bars",
            width=8,
            height=10,
            least=0,
        ),
    ),
)

_PROMISES: Final = Row(
    "Promises to applicants",
    (
        Panel(
            id=40,
            title="Kept in the last three days",
            question="Is what applicants were promised kept? The share of good answers, decisions and payments beside "
            "the objective. Empty for what did not happen in three days.",
            queries=(
                Query("max by (slo, service) (slo:objective:ratio)", "objective"),
                Query("max by (slo, service) (1 - slo:errors:ratio3d)", "kept"),
            ),
            unit=SHARE,
            shape="table",
            width=24,
            height=7,
            decimals=3,
            names={"service": "service", "slo": "promise"},
            links=(Link("This service", to_board("services", service=cell("service"))),),
        ),
    ),
)

BOARD: Final = Board(
    name="programme",
    title="Drawdown: the programme",
    question="Where is the programme's money, does it reach its targets, and how long does it last?",
    since="now-30d",
    rows=(_NOW, _POOLS, _TARGETS, _SCHEMES, _PROMISES),
)
