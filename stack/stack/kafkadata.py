"""You are at Kafka's files: what each node is told, what it logs, and the identity of the cluster.

Each node is broker and controller. The controllers are listed statically (`controller.quorum.voters`), because a
dynamic quorum writes its endpoints into the data and would not come up again on other ports.
"""

import base64
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stack.ports import LOOPBACK

# To standard output, which is the component's log like every other's. At INFO a start tells its whole configuration
# twice and the loading of each partition: 1,400 lines that hide the few that matter.
LOGGING = """\
rootLogger.level=WARN
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %m (%c{1})%n
logger.server.name=kafka.server.KafkaRaftServer
logger.server.level=INFO
"""


@dataclass(frozen=True)
class Detour:
    """A second door for clients: who comes to the port `listens` is sent on to the port `told`, by every node."""

    listens: int
    told: int


@dataclass(frozen=True)
class NodePorts:
    """Where one node listens: for clients, and for the other controllers."""

    client: int
    controller: int
    detour: Detour | None = field(default=None, kw_only=True)


def settings(node_id: int, ports: Sequence[NodePorts], data: Path) -> dict[str, object]:
    """The whole of one node's `server.properties`; node ids count from 1."""
    here = ports[node_id - 1]
    voters = (f"{number}@{LOOPBACK}:{node.controller}" for number, node in enumerate(ports, start=1))
    return {
        "process.roles": "broker,controller",
        "node.id": node_id,
        "controller.quorum.voters": ",".join(voters),
        "controller.listener.names": "CONTROLLER",
        **_listeners(here),
        "log.dirs": data,
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": 0,
        "broker.session.timeout.ms": 4_000,  # a killed broker is let in again when its old session ends; default 9 s
        "broker.heartbeat.interval.ms": 1_000,
        "log.retention.ms": -1,  # projections are rebuilt from the topics at any time
        "log.index.size.max.bytes": 2 << 20,  # the default reserves 20 MB for each partition
        "offsets.topic.num.partitions": 8,
        "transaction.state.log.num.partitions": 2,
        "share.coordinator.state.topic.num.partitions": 2,
        **_replication(replicas(ports)),
    }


def _listeners(here: NodePorts) -> dict[str, object]:
    """A client is sent to the ports that are advertised for the listener to which it came."""
    listens = told = {"PLAINTEXT": here.client}
    if here.detour:
        listens, told = listens | {"DETOUR": here.detour.listens}, told | {"DETOUR": here.detour.told}
    return {
        "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in ("CONTROLLER", *listens)),
        "listeners": _addresses(listens | {"CONTROLLER": here.controller}),
        "advertised.listeners": _addresses(told),
    }


def _addresses(ports: Mapping[str, int]) -> str:
    return ",".join(f"{name}://{LOOPBACK}:{port}" for name, port in ports.items())


def replicas(ports: Sequence[NodePorts]) -> int:
    """How often each record is kept: three times as in production, where there are three brokers."""
    return min(3, len(ports))


def _replication(factor: int) -> dict[str, object]:
    """Each internal topic names its own factors, and their defaults (3 and 2) can't be met by one broker."""
    in_sync = max(1, factor - 1)
    return {
        "default.replication.factor": factor,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": factor,
        "transaction.state.log.replication.factor": factor,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": factor,
        "share.coordinator.state.topic.min.isr": in_sync,
    }


def write_properties(path: Path, values: Mapping[str, object]) -> None:
    """A Java properties file. None of our values needs escaping: they are names, numbers and absolute paths."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}={value}\n" for name, value in values.items()))


def cluster_id(path: Path) -> str:
    """One id for all nodes of a data directory, made at the first start."""
    if not path.exists():
        path.write_text(new_cluster_id())
    return path.read_text().strip()


def new_cluster_id() -> str:
    """Kafka's form: a UUID in 22 characters of base 64, but none that a command line would take for a flag."""
    while (identifier := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return identifier
