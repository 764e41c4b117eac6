"""What an operator of disbursement may set, beside what every service has."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from kit.settings import KeyringSettings


class Settings(KeyringSettings):
    """Variables begin with ``DISBURSEMENT_``."""

    model_config = SettingsConfigDict(env_prefix="DISBURSEMENT_", extra="ignore")

    http_port: int = Field(default=8003, ge=0, le=65535, description="port that the HTTP server listens on")
    programme_file: Path = Field(description="YAML file with the pools and what was appropriated to each")
    payment_files: bool = Field(
        default=False,
        description="payments go to the bank in files (ISO 20022) that are fetched here; then nobody may pay from the "
        "topic disbursement.payments",
    )
    reconcile_every_seconds: float = Field(
        default=30.0, gt=0, le=300, description="how often the new transfers and published events are checked"
    )
    reconcile_sums_every_seconds: float = Field(
        default=300.0,
        gt=0,
        le=600,
        description="how often all awards, caps, payments and receipts are added up and compared with the transfers",
    )
