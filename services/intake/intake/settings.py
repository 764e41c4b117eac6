"""What an operator of intake may set, beside what every service has."""

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from intake.push.guard import networks_of
from kit.settings import KeyringSettings, fetch_min_bytes, fetch_wait_seconds


class Settings(KeyringSettings):
    """Variables begin with ``INTAKE_``."""

    model_config = SettingsConfigDict(env_prefix="INTAKE_", extra="ignore")

    http_port: int = Field(default=8001, ge=0, le=65535, description="port that the HTTP server listens on")
    consumer_pace_seconds: float = Field(
        default=0.1,
        ge=0,
        le=5,
        description="batches begin no closer together: the portal's view follows by so much, no decision waits for it",
    )
    consumer_fetch_min_bytes: int = fetch_min_bytes(500_000)
    consumer_fetch_wait_seconds: float = fetch_wait_seconds(0.05)
    relay_pace_seconds: float = Field(
        default=0.03,
        ge=0,
        le=5,
        description="pages are sent no closer together: what comes meanwhile goes through all services as one batch",
    )
    limit_reads_per_second: float = Field(
        default=2000.0, gt=0, description="reads (GET) a second that one client (a portal's client_id) may make"
    )
    limit_writes_per_second: float = Field(
        default=5000.0,
        gt=0,
        description="writes a second that one client may make: more than a process accepts, for a city has one portal",
    )
    write_pace_seconds: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="groups of requests are written no closer together: what comes meanwhile shares the next commit",
    )
    write_queue_size: int = Field(
        default=4000, ge=1, description="requests that may wait to be written; beyond it callers get 503 at once"
    )
    write_age_seconds: float = Field(
        default=2.5, gt=0, description="when the oldest waiting request is older than this, callers get 503 at once"
    )
    write_answer_seconds: float = Field(
        default=4.0,
        gt=0,
        description="after this long a caller gets 503 while its request goes on; less than the callers' time-out",
    )
    documents_url: str | None = Field(
        default=None,
        description="where uploaded documents are kept: file:///a/directory, or s3://bucket/prefix with the "
        "credentials and the endpoint in AWS_*; without it uploads are refused",
    )
    document_scanner: list[str] = Field(
        default=[],
        description='program that looks at each upload, as a JSON list such as ["clamdscan", "--fdpass", '
        '"--no-summary"]; the file\'s path is added. Exit code 0: nothing found, 1: quarantine it',
    )
    document_scanner_seconds: float = Field(default=30.0, gt=0, description="most time for one look of the scanner")
    events_retention_days: int = Field(
        default=8, ge=7, le=365, description="how long changes and deliveries are kept for streams and webhooks"
    )
    events_streams: int = Field(default=200, ge=1, description="event streams open at once in one process; then 503")
    events_streams_per_client: int = Field(default=10, ge=1, description="of them by one client; beyond it 429")
    events_poll_seconds: float = Field(default=0.1, gt=0, le=5, description="how often it looks for changes to push")
    events_heartbeat_seconds: float = Field(
        default=15.0, gt=0, le=300, description="after this long without an event a stream gets a comment"
    )
    events_stream_seconds: float = Field(
        default=3600.0, gt=0, description="after this long a stream is ended; its client comes back with a new token"
    )
    webhook_calls: int = Field(default=20, ge=1, le=200, description="calls of webhooks at once in one process")
    webhook_call_seconds: float = Field(default=15.0, gt=0, le=60, description="most time for one call of a webhook")
    webhook_allowed_networks: list[str] = Field(
        default=[],
        description="JSON list of networks that webhooks may lead to though they are not public, by http too, such "
        'as ["127.0.0.0/8"]; for tests and the local stack',
    )
    write_group_size: int = Field(default=100, ge=1, le=1000, description="most requests that share a transaction")
    write_groups_at_once: int = Field(
        default=2, ge=1, le=8, description="transactions with requests that are under way at a time, a connection each"
    )

    @field_validator("webhook_allowed_networks")
    @classmethod
    def _are_networks(cls, value: list[str]) -> list[str]:
        networks_of(value)
        return value
