"""One pool: where its money is, how fast it goes, under which schemes, and whether its books are right."""

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
    Variable,
    label,
    to_board,
)

_SCHEME: Final = Link("This scheme's applications", to_board("funnel", scheme=label("scheme")))
_LEDGER: Final = Link("The service that keeps the books", to_board("services", service="disbursement"))

_NOW: Final = Row(
    "Now",
    (
        as_of(1, 5),
        Panel(
            id=2,
            title="Money by state",
            question="Where is this pool's money? The four states add up to the appropriation, to the fen.",
            queries=(
                Query('pool:appropriated_yuan:max{pool="$pool"}', "appropriated"),
                *(Query(f'pool_state:balance_yuan:max{{pool="$pool", state="{state}"}}', state) for state in OF_STATES),
            ),
            unit=YUAN,
            shape="number",
            width=14,
            height=4,
            decimals=2,
        ),
        Panel(
            id=3,
            title="Drawn down",
            question="How much of this pool is promised? Warnings at 80 and 95 %.",
            queries=(Query('pool:drawdown:ratio{pool="$pool"}', "drawn down"),),
            unit=SHARE,
            shape="number",
            width=5,
            height=4,
            decimals=1,
            steps=((0.8, ORANGE), (0.95, RED)),
        ),
    ),
)

_PACE: Final = Row(
    "Pace",
    (
        Panel(
            id=10,
            title="Money by state over time",
            question="How does this pool's money move? From available to committed, obligated and disbursed.",
            queries=(Query('pool_state:balance_yuan:max{pool="$pool"}', "{{state}}"),),
            unit=YUAN,
            shape="stack",
            least=0,
            colours=OF_STATES,
        ),
        Panel(
            id=11,
            title="Drawdown",
            question="How much is promised, and how much of that is paid? Both as shares of the appropriation. A wide "
            "gap is money that companies were promised and did not get yet.",
            queries=(
                Query('pool:drawdown:ratio{pool="$pool"}', "promised"),
                Query('pool:disbursed:ratio{pool="$pool"}', "paid"),
            ),
            unit=SHARE,
            least=0,
            steps=((0.8, ORANGE), (0.95, RED)),
            alerts=("PoolAbove80Percent", "PoolAbove95Percent"),
        ),
        Panel(
            id=12,
            title="Days until it is used up",
            question="When does this pool end? Straight lines through 7, 28 and 90 days. The two shorter ones begin "
            "after "
            "3 and 7 days of history. Below 30 days somebody is told, above three years as well.",
            queries=(
                Query('pool:exhaustion_days:trend7d{pool="$pool"} < Inf', "by 7 days"),
                Query('pool:exhaustion_days:trend28d{pool="$pool"} < Inf', "by 28 days"),
                Query('pool:exhaustion_days:trend90d{pool="$pool"}', "by 90 days"),
                Query('pool:exhaustion_days:min{pool="$pool"} < Inf', "the soonest of 7 and 28"),
            ),
            unit=DAYS,
            width=8,
            least=0,
            steps=((30, GREEN), (1095, ORANGE)),
            below=RED,
            alerts=("PoolExhaustionNear", "DrawdownSlow"),
        ),
        Panel(
            id=13,
            title="Promised a day",
            question="How much is promised a day? The last day beside the trends: a day of five times the trend is "
            "told.",
            queries=(
                Query('pool:promised_yuan:increase1d{pool="$pool"}', "in the last day"),
                Query('pool:pace_yuan_per_day:trend7d{pool="$pool"}', "by 7 days"),
                Query('pool:pace_yuan_per_day:trend28d{pool="$pool"}', "by 28 days"),
            ),
            unit=YUAN,
            width=8,
            alerts=("DrawdownSpiking",),
        ),
        Panel(
            id=14,
            title="Moved in 14 days",
            question="Does the money move at all? Promised and paid within 14 days; 0 is a pool that stands still. "
            "Begins "
            "after 300 hours of history.",
            queries=(Query('pool:moved_yuan:range14d{pool="$pool"}', "moved"),),
            unit=YUAN,
            width=8,
            least=0,
            alerts=("DrawdownStalled",),
        ),
    ),
)

_SCHEMES: Final = Row(
    "Schemes of this pool",
    (
        Panel(
            id=20,
            title="Money by scheme",
            question="Which schemes is this pool's money promised and paid under?",
            queries=(Query('sum by (scheme, state) (pool_scheme_state:balance_yuan:max{pool="$pool"})', ""),),
            unit=YUAN,
            shape="table",
            pivot=("state", "scheme"),
            decimals=2,
        ),
        Panel(
            id=21,
            title="Left of this year's envelopes",
            question="What may the schemes of this pool still promise this fiscal year?",
            queries=(
                Query(
                    "scheme:envelope_remaining_yuan:max"
                    ' and on (scheme) pool_scheme_state:balance_yuan:max{pool="$pool"}',
                    "{{scheme}}",
                ),
            ),
            unit=YUAN,
            shape="bars",
            least=0,
            links=(_SCHEME,),
        ),
        Panel(
            id=22,
            title="Approved, and waiting for money",
            question="Who waits because money is short? Approved sums in line, by scheme; 0 is right.",
            queries=(
                Query(
                    'pool_scheme:waitlisted_yuan:max{pool="$pool"}'
                    ' or on (pool) 0 * pool:appropriated_yuan:max{pool="$pool"}',
                    "{{scheme}}",
                ),
            ),
            unit=YUAN,
            width=8,
            least=0,
            links=(_SCHEME,),
        ),
        Panel(
            id=23,
            title="Paid by district",
            question="Which districts is this pool paid to? Net of what was recovered.",
            queries=(
                Query('sum by (district) (pool_scheme_district:disbursed_yuan:max{pool="$pool"})', "{{district}}"),
            ),
            unit=YUAN,
            shape="bars",
            width=8,
            least=0,
        ),
        Panel(
            id=24,
            title="Transfers an hour",
            question="What is booked, and why? Transfers of the ledger by their reason.",
            queries=(
                Query(
                    'sum by (reason) (rate(drawdown_transfers_total{pool="$pool"}[$__rate_interval])) * 3600',
                    "{{reason}}",
                ),
            ),
            unit=COUNT,
            width=8,
            least=0,
        ),
    ),
)

_BOOKS: Final = Row(
    "Books",
    (
        Panel(
            id=30,
            title="Imbalance",
            question="Do the figures follow from the transfers? Replayed balances against those of the last transfer; "
            "anything but 0 is wrong.",
            queries=(Query('pool:imbalance_yuan:max{pool="$pool"}', "imbalance"),),
            unit=YUAN,
            width=6,
            height=7,
            least=0,
            steps=((0.005, RED),),
            alerts=("LedgerImbalance",),
        ),
        Panel(
            id=31,
            title="Breaks in the chain",
            question="Is the ledger whole? Transfers that do not follow the one before them; anything but 0 is wrong.",
            queries=(Query('pool:chain_breaks:max{pool="$pool"}', "breaks"),),
            unit=COUNT,
            width=6,
            height=7,
            least=0,
            steps=((1, RED),),
            alerts=("LedgerChainBroken",),
        ),
        Panel(
            id=32,
            title="Differences of the reconciliation",
            question="Do the books agree with each other? By check; anything but 0 holds this pool's awards.",
            queries=(Query('pool_check:reconciliation_difference_yuan:max{pool="$pool"}', "{{check}}"),),
            unit=YUAN,
            width=6,
            height=7,
            least=0,
            steps=((0.005, RED),),
            alerts=("ReconciliationDifference",),
            links=(_LEDGER,),
        ),
        Panel(
            id=33,
            title="Last compared",
            question="Are the books compared at all? Age of the oldest check's result, of all pools.",
            queries=(Query("programme:reconciliation_age_seconds:min", "ago"),),
            unit=SECONDS,
            width=6,
            height=7,
            least=0,
            steps=((900, RED),),
            alerts=("ReconciliationStale",),
            links=(_LEDGER,),
        ),
    ),
)

BOARD: Final = Board(
    name="pool",
    title="Drawdown: a pool",
    question="Where is this pool's money, how fast does it go, and are its books right?",
    since="now-30d",
    rows=(_NOW, _PACE, _SCHEMES, _BOOKS),
    variables=(Variable("pool", "Pool", "pool:appropriated_yuan:max", "pool"),),
)
