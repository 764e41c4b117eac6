"""The applications: where they stand, how long each stage takes, which deadlines are missed, what the bank does."""

from typing import Final

from deploy.grafana.boards.shared import as_of
from deploy.grafana.model import (
    COUNT,
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

_SERVICE: Final = Link("This service", to_board("services", service=label("service")))
_DISBURSEMENT: Final = Link("The service that pays", to_board("services", service="disbursement"))
_PERSONS_KINDS: Final = "draft|clarification|expiry_notice|expiry|line|payment"

_NOW: Final = Row(
    "Now",
    (
        as_of(1, 5),
        Panel(
            id=2,
            title="Applications",
            question="How many are there, and how many got or wait for what they asked for? As far as the figures go.",
            queries=(
                Query('sum(scheme_status:applications:max{scheme=~"$scheme"})', "in all"),
                Query(
                    'sum(scheme_status:applications:max{scheme=~"$scheme", status="awarded"}) or vector(0)', "awarded"
                ),
                Query(
                    'sum(scheme_status:applications:max{scheme=~"$scheme", status="waitlisted"}) or vector(0)',
                    "in line for money",
                ),
                Query(
                    'sum(scheme_status:applications:max{scheme=~"$scheme", status="rejected"}) or vector(0)', "rejected"
                ),
            ),
            unit=COUNT,
            shape="number",
            width=13,
            height=4,
        ),
        Panel(
            id=3,
            title="Approved, and waiting for money",
            question="What is approved and can't be promised? 0 is right.",
            queries=(Query('sum(pool_scheme:waitlisted_yuan:max{scheme=~"$scheme"}) or vector(0)', "waits"),),
            unit=YUAN,
            shape="number",
            width=6,
            height=4,
            decimals=2,
            steps=((0.005, ORANGE),),
        ),
    ),
)

_FUNNEL: Final = Row(
    "Funnel",
    (
        Panel(
            id=10,
            title="Where applications stand",
            question="In which state are the applications? Each is counted once. A bar that only grows is a stage that "
            "does not keep up.",
            queries=(Query('sum by (status) (scheme_status:applications:max{scheme=~"$scheme"})', "{{status}}"),),
            unit=COUNT,
            shape="bars",
            height=9,
            least=0,
        ),
        Panel(
            id=11,
            title="What came of them, in this range",
            question="What did applications come to in the chosen range? One may come to several (waitlisted, then "
            "awarded).",
            queries=(
                Query(
                    'sum by (outcome) (increase(scheme_outcome:applications:max{scheme=~"$scheme"}[$__range]))',
                    "{{outcome}}",
                ),
            ),
            unit=COUNT,
            shape="bars",
            height=9,
            decimals=0,
            least=0,
        ),
        Panel(
            id=12,
            title="By scheme and state",
            question="Which scheme's applications stand where?",
            queries=(Query('sum by (scheme, status) (scheme_status:applications:max{scheme=~"$scheme"})', ""),),
            unit=COUNT,
            shape="table",
            width=14,
            height=9,
            pivot=("status", "scheme"),
        ),
        Panel(
            id=13,
            title="Assessments an hour",
            question="Does eligibility decide, and what? Tries by their outcome; those that wait for a register come "
            "again.",
            queries=(
                Query(
                    'sum by (outcome) (rate(drawdown_assessments_total{scheme=~"$scheme"}[$__rate_interval])) * 3600',
                    "{{outcome}}",
                ),
            ),
            unit=COUNT,
            width=10,
            height=9,
            least=0,
            links=(Link("The service that decides", to_board("services", service="eligibility")),),
        ),
    ),
)

_STAGES: Final = Row(
    "Stages",
    (
        Panel(
            id=20,
            title="Half of them took less than, nine of ten less than",
            question="How long does each stage take? Of those that ended in the chosen range; buckets reach from a "
            "second "
            "to half a year.",
            queries=tuple(
                Query(
                    f"histogram_quantile({share}, sum by (stage, le) "
                    '(increase(stage_scheme_le:stage_seconds:max{scheme=~"$scheme"}[$__range])))',
                    legend,
                )
                for share, legend in (("0.5", "half"), ("0.9", "nine of ten"))
            ),
            unit=SECONDS,
            shape="table",
            names={"stage": "stage"},
        ),
        Panel(
            id=21,
            title="Nine of ten took less than, day by day",
            question="Do stages become slower? The 90th percentile of what ended in the day before each point.",
            queries=(
                Query(
                    "histogram_quantile(0.9, sum by (stage, le) "
                    '(increase(stage_scheme_le:stage_seconds:max{scheme=~"$scheme"}[1d])))',
                    "{{stage}}",
                ),
            ),
            unit=SECONDS,
            least=0,
        ),
    ),
)

_DEADLINES: Final = Row(
    "Deadlines",
    (
        Panel(
            id=30,
            title="What waits with a deadline",
            question="Who waits for whom? Open clocks by what is waited for, missed or not.",
            queries=(Query("service_kind:clocks_open:max", "{{service}} {{kind}}"),),
            unit=COUNT,
            width=8,
            least=0,
            links=(_SERVICE,),
        ),
        Panel(
            id=31,
            title="Oldest missed deadline",
            question="Who waits beyond the deadline, and since when? A day is told. Applicants' own deadlines and "
            "payments are left out: they have alerts of their own, or need none.",
            queries=(
                Query(f'service_kind:clocks_overdue_seconds:max{{kind!~"{_PERSONS_KINDS}"}}', "{{service}} {{kind}}"),
            ),
            unit=SECONDS,
            width=8,
            least=0,
            steps=((86_400, RED),),
            alerts=("ClockOverdue",),
            links=(_SERVICE,),
        ),
        Panel(
            id=32,
            title="Deadlines missed in an hour",
            question="Does something stand still? One missed deadline is a person's matter, ten in an hour are told.",
            queries=(
                Query(f'service_kind:clocks_missed:increase1h{{kind!~"{_PERSONS_KINDS}"}}', "{{service}} {{kind}}"),
            ),
            unit=COUNT,
            width=8,
            least=0,
            steps=((10, RED),),
            alerts=("ClocksMissed",),
            links=(_SERVICE,),
        ),
    ),
)

_PAYMENTS: Final = Row(
    "Payments",
    (
        Panel(
            id=40,
            title="Reports of finance in a day",
            question="What does finance report, and what does it do? Repeats move nothing a second time.",
            queries=(Query("type_effect:bank_reports:increase1d", "{{type}} {{effect}}"),),
            unit=COUNT,
            width=7,
            least=0,
            links=(_DISBURSEMENT,),
        ),
        Panel(
            id=43,
            title="Reports that fit no payment",
            question="Does finance report what can't be? In a day; such a report moved nothing and waits for a person.",
            queries=(Query('sum by (type) (type_effect:bank_reports:increase1d{effect="discrepancy"})', "{{type}}"),),
            unit=COUNT,
            width=5,
            least=0,
            steps=((0.5, RED),),
            alerts=("PaymentReportsContradict",),
            links=(_DISBURSEMENT,),
        ),
        Panel(
            id=41,
            title="Returned or unknown, of a day's payments",
            question="Do payments arrive? The share that the bank returned (10 % is told), and the share that finance "
            "said nothing of in time (5 % is told). No line without payments.",
            queries=(
                Query("programme:payments_returned:ratio1d", "returned"),
                Query("programme:payments_unknown:ratio1d", "not reported in time"),
            ),
            unit=SHARE,
            width=7,
            least=0,
            steps=((0.05, ORANGE), (0.1, RED)),
            alerts=("PaymentsReturnedOften", "PaymentsUnknownOften"),
        ),
        Panel(
            id=42,
            title="Finance is silent since",
            question="Is there a payment of which nobody knows whether the bank paid it? Since its time to report "
            "ended.",
            queries=(
                Query(
                    'service_kind:clocks_overdue_seconds:max{service="disbursement", kind="payment"}', "silent since"
                ),
            ),
            unit=SECONDS,
            width=5,
            least=0,
            steps=((86_400, RED),),
            alerts=("PaymentUnknown",),
            links=(_DISBURSEMENT,),
        ),
    ),
)

BOARD: Final = Board(
    name="funnel",
    title="Drawdown: applications",
    question="Where do applications stand, how long do they take, and who waits for whom?",
    since="now-7d",
    rows=(_NOW, _FUNNEL, _STAGES, _DEADLINES, _PAYMENTS),
    variables=(Variable("scheme", "Scheme", "scheme_status:applications:max", "scheme", many=True),),
)
