"""You are at the processes that are ours: the four services and two simulated outsiders, each with its own environment.

A service gets the login of its own database and of no other; the login that owns the tables goes to `migrate` only.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace

from stack import issuer, keyring
from stack.config import Config, policies_dir
from stack.grants import SERVICES
from stack.ports import LOOPBACK, free_ports
from stack.postgres import Postgres
from stack.processes import Command

SIMULATORS = ("registers", "finance")


@dataclass(frozen=True)
class App:
    """One HTTP process. It is ready when `GET {url}/health/ready` answers 200."""

    command: Command
    port: int
    migration: Command | None = None

    @property
    def name(self) -> str:
        return self.command.name

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"


def services(config: Config, postgres: Postgres, kafka_bootstrap: str) -> list[App]:
    """The four services, in the order of the flow; then further processes of each, which share its database."""
    keyring.create(config.home)
    first = [_service(name, config, postgres, kafka_bootstrap) for name in SERVICES]
    more = [(name, number) for number in range(2, config.copies + 1) for name in SERVICES]
    ports = free_ports(len(more))
    return first + [
        _copy(first[SERVICES.index(name)], f"{name}-{number}", port, config)
        for (name, number), port in zip(more, ports, strict=True)
    ]


def simulators(config: Config, kafka_bootstrap: str) -> list[App]:
    """The outside registers, which also hand out the issuer's public keys, and the finance system.

    Both speak only the public interfaces.
    """
    issuer.create_keys(config.home)
    common = {"SIM_SEED": str(config.seed)}
    registers = {**common, "SIM_JWKS": str(config.home.jwks_file)}
    if config.companies:
        registers["SIM_COMPANIES"] = str(config.companies)
    bank_log = config.home.path / "finance" / "bank.jsonl"
    finance = common | {
        "SIM_KAFKA_BOOTSTRAP": kafka_bootstrap,
        "SIM_LOG": str(bank_log),
        "SIM_DISBURSEMENT_URL": f"http://{LOOPBACK}:{config.ports.disbursement}",
        "SIM_HOME": str(config.home.path),
    }
    all_of_them = [_simulator("registers", config, registers), _simulator("finance", config, finance)]
    return [app for app in all_of_them if app.name in config.outsiders]


def _copy(app: App, name: str, port: int, config: Config) -> App:
    """One more process of a service; the first one has migrated their database."""
    environment = {**app.command.env, f"{app.name.upper()}_HTTP_PORT": str(port)}
    own = config.process_environment.get(name, {})
    return App(replace(app.command, name=name, log=config.home.log(name), env={**environment, **own}), port)


def _service(name: str, config: Config, postgres: Postgres, kafka_bootstrap: str) -> App:
    port = config.ports.by_name()[name]
    own = {
        "DATABASE_URL": postgres.dsn(name),
        "KAFKA_BOOTSTRAP": kafka_bootstrap,
        "HTTP_HOST": LOOPBACK,
        "HTTP_PORT": str(port),
        "LOG_FORMAT": "json",
        **issuer.settings(config.ports.registers),
        **_extra(name, config),
    }
    environment = _inherited(config.environment, name) | {f"{name.upper()}_{key}": value for key, value in own.items()}
    environment |= config.process_environment.get(name, {})
    command = _python(name, config, name, "run", environment=environment)
    owner = {f"{name.upper()}_MIGRATION_DATABASE_URL": postgres.owner_dsn(name)}
    return App(
        command=replace(command, argv=(sys.executable, *config.service_launcher, name, "run")),
        port=port,
        migration=_python(f"{name}-migrate", config, name, "migrate", environment=environment | owner),
    )


def _extra(service: str, config: Config) -> dict[str, str]:
    policies = config.policies or policies_dir()
    keys = {"KEYRING_FILE": str(config.home.keyring_file)}
    match service:
        case "eligibility":
            registers = f"http://{LOOPBACK}:{config.ports.registers}"
            return {"REGISTERS_URL": registers, "POLICIES_DIR": str(policies), **keys}
        case "intake":
            documents = config.home.documents.as_uri()
            networks = '["127.0.0.0/8"]'  # portals live here too
            return {"DOCUMENTS_URL": documents, "WEBHOOK_ALLOWED_NETWORKS": networks, **keys}
        case "disbursement":
            return {"PROGRAMME_FILE": str(policies / "programme.yaml"), **keys}
        case "metrics":
            return {"PROGRAMME_FILE": str(policies / "programme.yaml")}
        case _:
            return {}


def _simulator(name: str, config: Config, own: Mapping[str, str]) -> App:
    port = config.ports.by_name()[name]
    environment = _inherited(config.environment, "sim") | {"SIM_HTTP_PORT": str(port), **own}
    return App(_python(name, config, "stack.simulators", name, environment=environment), port)


def _inherited(environment: Mapping[str, str], own: str) -> dict[str, str]:
    """What a child inherits: all but the other components' variables. Compiled modules are kept, for faster starts."""
    others = tuple(f"{name.upper()}_" for name in (*SERVICES, "sim") if name != own)
    kept = {key: value for key, value in environment.items() if not key.startswith(others)}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept | {"PYTHONUNBUFFERED": "1"}


def _python(name: str, config: Config, module: str, verb: str, *, environment: Mapping[str, str]) -> Command:
    return Command(
        name=name,
        argv=(sys.executable, "-m", module, verb),
        log=config.home.log(name),
        env=environment,
        cwd=config.home.path,
        stop_seconds=15,
    )
