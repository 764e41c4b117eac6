"""What an operator may set. A wrong or missing variable gives one line and exit code 78 (EX_CONFIG).

Where a variable holds a secret, the same with ``_FILE`` at its end may name a file that holds it instead. Environments
are copied into crash reports and shown by tools; files are not. Every variable can be given like that.
"""

import json
import os
import re
import sys
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic.config import JsonDict
from pydantic_settings import BaseSettings, SettingsError

from kit.brokers import Brokers

EXIT_CONFIGURATION = 78
SECRET: JsonDict = {"secret": True}
"""Marks a setting that is better given by a file."""


def fetch_min_bytes(default: int) -> Any:
    """Return the field of Kafka's ``fetch.min.bytes``; a service has a default of its own."""
    return Field(
        default=default,
        ge=1,
        le=1_000_000,
        description="a fetch from Kafka is answered when so many bytes of events are there, or after the next setting",
    )


def fetch_wait_seconds(default: float) -> Any:
    """Return the field of Kafka's ``fetch.max.wait.ms``; a service has a default of its own."""
    return Field(default=default, gt=0, le=5, description="a fetch is answered after so long, whatever is there")


class ServiceSettings(BaseSettings):
    """The settings that every service has. A service adds its own and sets the prefix of the variables."""

    database_url: str = Field(
        description="postgresql://user:password@host:port/database of the service's runtime login (no DDL rights)",
        json_schema_extra=SECRET,
    )
    migration_database_url: str | None = Field(
        default=None,
        description="the same with the login that owns the tables; read by `migrate` only",
        json_schema_extra=SECRET,
    )
    kafka_bootstrap: str = Field(description="host:port[,host:port] of the Kafka brokers")
    kafka_tls: bool = Field(
        default=False, description="speak TLS with the brokers, and trust the certificates that this machine trusts"
    )
    kafka_ca_file: Path | None = Field(
        default=None, description="speak TLS with the brokers, and trust only what these PEM certificates have signed"
    )
    kafka_user: str | None = Field(
        default=None, min_length=1, description="login to Kafka (SCRAM-SHA-512); left out: the brokers ask for none"
    )
    kafka_password: str | None = Field(
        default=None, min_length=1, description="password of that login", json_schema_extra=SECRET
    )
    http_host: str = Field(default="127.0.0.1", description="address that the HTTP server listens on")
    http_port: int = Field(ge=0, le=65535, description="port that the HTTP server listens on")
    roles: frozenset[Literal["http", "worker"]] = Field(
        default=frozenset({"http", "worker"}),
        description='JSON list of what this process does: "http" answers calls, "worker" consumes and relays events',
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="auto: readable on a terminal, JSON otherwise"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="least level logged")
    database_pool_size: int = Field(
        default=8, ge=2, le=100, description="connections kept to PostgreSQL for the loops, and for operators' calls"
    )
    database_statement_timeout_seconds: float = Field(
        default=30.0, gt=0, description="PostgreSQL cancels a statement that takes longer"
    )
    http_pool_size: int = Field(
        default=4, ge=1, le=100, description="connections kept to PostgreSQL for HTTP reads, apart from the loops'"
    )
    http_queue_size: int = Field(
        default=64, ge=0, description="HTTP reads that may wait for a connection; beyond it callers get 503 at once"
    )
    http_wait_seconds: float = Field(
        default=2.0, gt=0, description="after this long without a connection an HTTP read is answered 503"
    )
    http_statement_timeout_seconds: float = Field(
        default=3.0, gt=0, description="PostgreSQL cancels a statement of an HTTP read that takes longer"
    )
    consumer_max_batch_events: int = Field(
        default=1000, ge=1, le=5000, description="most events that one transaction handles"
    )
    consumer_pace_seconds: float = Field(
        default=0.005,
        ge=0,
        le=5,
        description="batches begin no closer together: what comes meanwhile shares the next one's transaction",
    )
    consumer_patience_seconds: float = Field(
        default=0.1,
        ge=0,
        le=5,
        description="the same where no applicant waits for anything in it, and for the pages that then follow",
    )
    consumer_fetch_min_bytes: int = fetch_min_bytes(1)
    consumer_fetch_wait_seconds: float = fetch_wait_seconds(0.25)
    relay_poll_seconds: float = Field(
        default=0.1,
        gt=0,
        le=5,
        description="how often the relay looks for events that other processes left in the outbox; of its own it hears",
    )
    relay_pace_seconds: float = Field(
        default=0.005, ge=0, le=5, description="the same for the pages that the relay sends: no closer together than so"
    )
    relay_lease_seconds: float = Field(
        default=5.0,
        gt=0,
        le=60,
        description="after this long without a sign of life another relay takes over",
    )

    stuck_after_seconds: float = Field(
        default=120.0,
        gt=0,
        description="liveness fails when events wait and no batch was finished for this long",
    )
    retention_days: int = Field(
        default=7,
        ge=1,
        le=3650,
        description="how long published events stay in the outbox; what was handled is remembered a week longer",
    )

    access_issuer: str | None = Field(
        default=None,
        description="URL of the one issuer whose tokens count, as their `iss` has it; without it every call that "
        "demands a token is refused",
    )
    access_jwks_url: str | None = Field(
        default=None, description="where the issuer's public keys are; left out: <issuer>/.well-known/jwks.json"
    )
    access_audience: str = Field(default="drawdown", min_length=1, description="the `aud` that a token must name")
    access_algorithm: Literal["ES256", "Ed25519", "RS256", "PS256"] = Field(
        default="ES256", description="the one algorithm that tokens may be signed with"
    )

    http_line_size: int = Field(
        default=2000, ge=0, description="calls that may wait to be begun with; beyond it callers get 503 at once"
    )
    http_line_seconds: float = Field(
        default=2.0, gt=0, description="after this long in that line a call is answered 503, and so are newcomers"
    )
    http_trusted_proxies: list[str] = Field(
        default=[],
        description="JSON list of the addresses or networks of the proxies in front, whose `X-Forwarded-For` is "
        "believed; without it a call comes from whoever has the connection",
    )
    limit_reads_per_second: float = Field(
        default=500.0, gt=0, description="reads (GET) a second that one client (a token's client_id) may make"
    )
    limit_writes_per_second: float = Field(
        default=500.0, gt=0, description="writes (POST, PATCH and others) a second that one client may make"
    )
    limit_unknown_per_second: float = Field(
        default=100.0, gt=0, description="calls a second without a good token from one address (IPv6: one /64 network)"
    )
    limit_burst_seconds: float = Field(
        default=4.0, gt=0, description="after a pause, as many calls may come at once as otherwise in so many seconds"
    )

    @cached_property
    def brokers(self) -> Brokers:
        """How this process gets to Kafka. Raises SetupError when that can't be."""
        return Brokers.of(
            self.kafka_bootstrap,
            tls=self.kafka_tls,
            ca_file=self.kafka_ca_file,
            user=self.kafka_user,
            password=self.kafka_password,
            variables=self.model_config.get("env_prefix", ""),
        )

    @field_validator("access_issuer", "access_jwks_url")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value is not None and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname):
            raise ValueError("must begin with https:// or http:// and name a host")
        return value

    @field_validator("database_url", "migration_database_url")
    @classmethod
    def _is_postgresql(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith("postgresql://"):
            raise ValueError("must begin with postgresql://")
        return value


class KeyringSettings(ServiceSettings):
    """The settings of a service that stores what names or pays persons."""

    keyring_file: Path = Field(
        description="JSON file with the keys that accounts and contacts are stored under: the first one seals, the "
        "others only open (docs/how-to/handle-personal-data.md)"
    )
    seal: bool = Field(
        default=True,
        description="false while processes of a version that knows no sealing (before 0.2) run beside: what is new is "
        "then stored in clear, as they read it, and sealed later",
    )


Settings = TypeVar("Settings", bound=BaseSettings)


def load_settings(kind: type[Settings]) -> Settings:
    """Read the settings from the environment, or end the process with one line per wrong variable."""
    try:
        return kind(**_from_files(kind))
    except ValidationError as error:
        for problem in error.errors():
            _complain_of(kind, str(problem["loc"][0]) if problem["loc"] else "", problem["msg"].lower())
    except SettingsError as error:  # of a list or a mapping that is no JSON: only its text tells which
        named = _NAMED.search(str(error))
        _complain_of(kind, named[1] if named else "", "is no JSON")
    sys.exit(EXIT_CONFIGURATION)


_NAMED = re.compile(r'field "(\w+)"')


def _complain_of(kind: type[BaseSettings], name: str, said: str) -> None:
    field = kind.model_fields.get(name)
    meaning = f" ({field.description})" if field and field.description else ""
    complain(f"{kind.model_config.get('env_prefix', '')}{name}".upper() + f": {said}{meaning}")


def _from_files(kind: type[Settings]) -> dict[str, Any]:
    """Return the text of each setting whose variable with ``_FILE`` names a file; white space around it is cut."""
    found: dict[str, Any] = {}
    for name in kind.model_fields:
        variable = f"{kind.model_config.get('env_prefix', '')}{name}".upper()
        path = os.environ.get(f"{variable}_FILE")
        if path is None or f"{name}_file" in kind.model_fields:
            continue
        if variable in os.environ:
            refuse_to_start(f"{variable} and {variable}_FILE are both set: leave one of them out")
        try:
            said = Path(path).read_text(encoding="utf-8").strip()
            found[name] = json.loads(said) if _is_json(kind, name) else said
        except OSError as error:
            refuse_to_start(f"{variable}_FILE: can't read {path} ({error.strerror}): {_HOLDS.format(variable)}")
        except ValueError as error:
            wrong = "it is no text in UTF-8" if isinstance(error, UnicodeDecodeError) else "it is no JSON"
            refuse_to_start(f"{variable}_FILE: can't read {path} ({wrong}): {_HOLDS.format(variable)}")
    return found


_OF_JSON = (list, tuple, dict, set, frozenset)
_HOLDS = "it has to hold the value of {}"


def _is_json(kind: type[BaseSettings], name: str) -> bool:
    """Return whether a setting is a list or a mapping, which a variable holds as JSON."""
    annotation = kind.model_fields[name].annotation
    return any(get_origin(each) in _OF_JSON for each in (annotation, *get_args(annotation)))


def complain(line: str) -> None:
    """Write one line for the operator to standard error."""
    program = Path(sys.argv[0])
    name = program.parent.name if program.name == "__main__.py" else program.name
    sys.stderr.write(f"{name}: {line}\n")


def refuse_to_start(line: str) -> NoReturn:
    """End the process with one line that says what to change."""
    complain(line)
    sys.exit(EXIT_CONFIGURATION)
