"""What is between the services: brokers, consumers' lag, outboxes, and what waits for a person."""

from typing import Final

from deploy.grafana.model import (
    COUNT,
    GREEN,
    ORANGE,
    PER_SECOND,
    RED,
    SECONDS,
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

_SERVICE: Final = Link("This service", to_board("services", service=label("service")))
_GROUP: Final = Link("This service", to_board("services", service=label("group")))

_NOW: Final = Row(
    "Now",
    (
        Panel(
            id=1,
            title="Brokers",
            question="How many Kafka brokers answer? 0 stops everything but the acceptance of applications.",
            queries=(Query("cluster:kafka_brokers:max", "brokers"),),
            unit=COUNT,
            shape="number",
            width=4,
            height=5,
            steps=((1, GREEN),),
            below=RED,
            alerts=("BrokersDown", "BrokerMissing"),
        ),
        Panel(
            id=2,
            title="Furthest behind",
            question="How long does the oldest event wait that some service has not handled? Two minutes are told.",
            queries=(Query("max(group_topic:lag_seconds:max)", "behind"),),
            unit=SECONDS,
            shape="number",
            width=5,
            height=5,
            steps=((120, ORANGE), (900, RED)),
        ),
        Panel(
            id=3,
            title="Oldest event in an outbox",
            question="How long does the oldest event wait that is not published yet? Two minutes are told.",
            queries=(Query("max(service:outbox_oldest_seconds:max)", "oldest"),),
            unit=SECONDS,
            shape="number",
            width=5,
            height=5,
            steps=((120, RED),),
        ),
        Panel(
            id=4,
            title="Parked events",
            question="How many events wait for a person? They can't be handled; 0 is right.",
            queries=(Query("sum(service_topic:parked_events:max) or vector(0)", "parked"),),
            unit=COUNT,
            shape="number",
            width=5,
            height=5,
            steps=((1, ORANGE),),
        ),
        Panel(
            id=5,
            title="Blocked partitions",
            question="How many partitions stand still? An event of theirs can't be handled for a reason that should "
            "pass; 0 is right.",
            queries=(Query("sum(service_topic:blocked_partitions:sum) or vector(0)", "blocked"),),
            unit=COUNT,
            shape="number",
            width=5,
            height=5,
            steps=((1, ORANGE),),
        ),
    ),
)

_LAG: Final = Row(
    "Consumers",
    (
        Panel(
            id=10,
            title="Behind, in time",
            question="How late is each service? Since when the first event waits that it has not handled, as Kafka "
            "sees "
            "it: so a dead consumer shows as well. Two minutes are told, a quarter of an hour wakes somebody.",
            queries=(Query('group_topic:lag_seconds:max{group=~"$group"}', "{{group}} {{topic}}"),),
            unit=SECONDS,
            least=0,
            steps=((120, ORANGE), (900, RED)),
            alerts=("ConsumerLagging", "ConsumerStalled"),
            links=(_GROUP,),
        ),
        Panel(
            id=11,
            title="Behind, in events",
            question="How much work waits? Events between what a service has handled and the end of the topic.",
            queries=(Query('group_topic:lag_events:sum{group=~"$group"}', "{{group}} {{topic}}"),),
            unit=COUNT,
            least=0,
            links=(_GROUP,),
        ),
        Panel(
            id=12,
            title="Partitions",
            question="Is it one partition or all of them? One that stands alone has a blocked event or a dead "
            "consumer.",
            queries=(
                Query(
                    'max by (group, topic, partition) (drawdown_group_lag_seconds{group=~"$group"})',
                    "behind, in time",
                    SECONDS,
                ),
                Query(
                    'max by (group, topic, partition) (drawdown_group_lag_events{group=~"$group"})', "behind, in events"
                ),
            ),
            unit=COUNT,
            shape="table",
            names={"group": "service", "topic": "topic", "partition": "partition"},
            sort_by="behind, in time",
            links=(Link("This service", to_board("services", service=cell("group"))),),
        ),
        Panel(
            id=13,
            title="Blocked partitions",
            question="Which topics stand still, and at whom?",
            queries=(Query("service_topic:blocked_partitions:sum", "{{service}} {{topic}}"),),
            unit=COUNT,
            least=0,
            steps=((1, ORANGE),),
            alerts=("PartitionBlocked",),
            links=(_SERVICE,),
        ),
    ),
)

_EVENTS: Final = Row(
    "Events",
    (
        Panel(
            id=20,
            title="Handled",
            question="How many events are taken from Kafka, and what becomes of them? Parked ones wait for a person, "
            "skipped ones were handled before.",
            queries=(Query("service_outcome:events_processed:rate5m", "{{service}} {{outcome}}"),),
            unit=PER_SECOND,
            width=8,
            least=0,
            links=(_SERVICE,),
        ),
        Panel(
            id=21,
            title="From event to effect, 95 of 100",
            question="How long from what happened to its effect elsewhere? The 95th percentile of each service's "
            "events.",
            queries=(
                Query(
                    "histogram_quantile(0.95, sum by (service, le) (service_le:event_delay_seconds:rate5m))",
                    "{{service}}",
                ),
            ),
            unit=SECONDS,
            width=8,
            least=0,
            links=(_SERVICE,),
        ),
        Panel(
            id=22,
            title="Parked and given up",
            question="Which events wait for a person, and where? Later events of the same company wait behind them.",
            queries=(
                Query("service_topic:parked_events:max or on (service) 0 * service:up:sum", "{{service}} {{topic}}"),
                Query(
                    "sum by (service) (increase(drawdown_dead_letters_total[1h])) or on (service) 0 * service:up:sum",
                    "{{service}} dead letters in an hour",
                ),
            ),
            unit=COUNT,
            width=8,
            least=0,
            steps=((1, ORANGE),),
            alerts=("EventsParked",),
            links=(_SERVICE,),
        ),
    ),
)

_OUTBOXES: Final = Row(
    "Outboxes",
    (
        Panel(
            id=30,
            title="Oldest event that waits",
            question="Is what was accepted published? Age of the oldest event in each outbox; two minutes are told.",
            queries=(Query("service:outbox_oldest_seconds:max", "{{service}}"),),
            unit=SECONDS,
            least=0,
            steps=((120, RED),),
            alerts=("OutboxOld",),
            links=(_SERVICE,),
        ),
        Panel(
            id=31,
            title="Events that wait",
            question="How much waits to be published? Peaks are normal; what does not go down again is not.",
            queries=(Query("service:outbox_pending_events:max", "{{service}}"),),
            unit=COUNT,
            least=0,
            links=(_SERVICE,),
        ),
    ),
)

BOARD: Final = Board(
    name="kafka",
    title="Drawdown: Kafka and outboxes",
    question="Does what happens in one service reach the others, and how late?",
    since="now-3h",
    rows=(_NOW, _LAG, _EVENTS, _OUTBOXES),
    variables=(Variable("group", "Service that reads", "group_topic:lag_seconds:max", "group", many=True),),
)
