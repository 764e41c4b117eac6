"""What an operator of disbursement may set, beside what every service has."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Variables begin with ``DISBURSEMENT_``."""

    model_config = SettingsConfigDict(env_prefix="DISBURSEMENT_", extra="ignore")

    http_port: int = Field(default=8003, ge=0, le=65535, description="port that the HTTP server listens on")
    programme_file: Path = Field(description="YAML file with the pools and what was appropriated to each")
