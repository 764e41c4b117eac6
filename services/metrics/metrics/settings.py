"""What an operator of metrics may set, beside what every service has."""

from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from kit.settings import ServiceSettings, fetch_min_bytes


class Settings(ServiceSettings):
    """Variables begin with ``METRICS_``."""

    model_config = SettingsConfigDict(env_prefix="METRICS_", extra="ignore")

    http_port: int = Field(default=8004, ge=0, le=65535, description="port that the HTTP server listens on")
    consumer_max_batch_events: int = Field(
        default=4000, ge=1, le=5000, description="most events that one transaction handles: many when it is rebuilt"
    )
    consumer_pace_seconds: float = Field(
        default=0.3,
        ge=0,
        le=5,
        description="batches begin no closer together: the figures may follow by so much, and nobody waits for them",
    )
    consumer_fetch_min_bytes: int = fetch_min_bytes(500_000)
    programme_file: Path | None = Field(
        default=None, description="YAML file with the pools' names and the targets; without it neither is shown"
    )
    timezone: str = Field(
        default="Asia/Shanghai", description="where the programme's days, months and fiscal years begin"
    )
    consumer_group: str = Field(
        default="metrics",
        min_length=1,
        description="consumer group; a projection that is rebuilt beside the old one needs its own",
    )
    lag_poll_seconds: float = Field(
        default=15.0, ge=1, le=600, description="how often the lag of every service's group is read from Kafka"
    )

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("must be a name of the IANA time zone database, such as Asia/Shanghai")
        return value

    @property
    def calendar(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)
