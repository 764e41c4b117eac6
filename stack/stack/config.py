"""You are at what an operator of the stack may choose: the place, the ports, the simulated world."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import stack
from stack.errors import ConfigurationError
from stack.home import Home, open_home
from stack.kafkadata import Detour, NodePorts
from stack.ports import free_ports


@dataclass(frozen=True)
class Ports:
    """One port per component, all on the loopback interface."""

    intake: int = 8001
    eligibility: int = 8002
    disbursement: int = 8003
    metrics: int = 8004
    registers: int = 8011
    finance: int = 8012
    kafka: int = 9092
    kafka_controller: int = 9093
    postgres: int = 5433

    @classmethod
    def free(cls) -> "Ports":
        """Ports that nobody uses now, for stacks that run beside others."""
        return cls(**dict(zip(cls.names(), free_ports(len(cls.names())), strict=True)))

    @classmethod
    def names(cls) -> list[str]:
        return [f.name for f in fields(cls)]

    def by_name(self) -> dict[str, int]:
        return asdict(self)

    def but(self, chosen: Mapping[str, int | None]) -> "Ports":
        """These, except where one was chosen. Two components on one port are a ConfigurationError."""
        ports = replace(self, **{name: port for name, port in chosen.items() if port})
        taken: dict[int, str] = {}
        for name, port in ports.by_name().items():
            if port in taken:
                raise ConfigurationError(
                    f"{taken[port]} and {name} can't share port {port}: choose another --{name}-port"
                )
            taken[port] = name
        return ports


@dataclass(frozen=True)
class Config:
    """Everything that a start depends on."""

    home: Home = field(default_factory=open_home)
    ports: Ports = field(default_factory=Ports)
    brokers: int = 1
    copies: int = 1
    """Processes of each service; the further ones (`intake-2`) listen on free ports and share its database."""
    seed: int = 1
    companies: int | None = None
    """How many companies the registers know; None leaves it to the simulator."""
    outsiders: Sequence[str] = ("registers", "finance")
    """Which simulated outsiders run; a suite may put a finance system of its own in the place of ours."""
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    """What the children inherit; `INTAKE_LOG_LEVEL` and its like reach the service that they name, and no other."""
    process_environment: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What one process gets besides, by its name: the last word, for a suite that puts something in between."""
    archive: Path | None = None
    """Where PostgreSQL's base backups and write-ahead log are kept for a restore; None: nowhere."""
    policies: Path | None = None
    """The directory of the scheme documents; None leaves it to `policies_dir`."""
    service_launcher: tuple[str, ...] = ("-m",)
    """What the interpreter is given before `<service> run`: a suite may run a service through a module of its own."""
    detours: Sequence[Detour] = ()
    """A second door of each broker, for a suite that puts something in between."""

    def kafka_nodes(self) -> list[NodePorts]:
        """The first broker on the chosen ports, further ones on free ports."""
        more = free_ports(2 * (self.brokers - 1))
        first = NodePorts(self.ports.kafka, self.ports.kafka_controller)
        nodes = [first, *(NodePorts(more[i], more[i + 1]) for i in range(0, len(more), 2))]
        if not self.detours:
            return nodes
        return [replace(node, detour=detour) for node, detour in zip(nodes, self.detours, strict=True)]


def policies_dir() -> Path:
    """The scheme documents: DRAWDOWN_POLICIES, else `policies/` of the working copy that this package is run from."""
    chosen = os.environ.get("DRAWDOWN_POLICIES")
    folder = Path(chosen).absolute() if chosen else Path(str(stack.__file__)).parents[2] / "policies"
    if not (folder / "programme.yaml").is_file():
        raise ConfigurationError(f"{folder} has no programme.yaml: set DRAWDOWN_POLICIES to the scheme documents")
    return folder
