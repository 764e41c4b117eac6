"""What an operator of eligibility may set, beside what every service has. Units are in the names."""

from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveFloat
from pydantic_settings import SettingsConfigDict

from kit.settings import KeyringSettings

RegisterName = Literal["business_registration", "credit_record", "related_companies", "provider"]


class Settings(KeyringSettings):
    """Variables begin with ``ELIGIBILITY_``."""

    model_config = SettingsConfigDict(env_prefix="ELIGIBILITY_", extra="ignore")

    http_port: int = Field(default=8002, ge=0, le=65535, description="port that the HTTP server listens on")
    policies_dir: Path = Field(description="directory with the policy documents, one YAML file each")

    registers_url: str = Field(pattern="^https?://", description="address that the outside registers are under")
    register_connect_timeout_seconds: float = Field(default=1.0, gt=0, description="most time to reach a register")
    register_timeout_seconds: float = Field(default=2.0, gt=0, description="most time for one answer of a register")
    register_tries: int = Field(default=3, ge=1, le=10, description="how often a look-up is tried before it fails")
    register_companies_at_once: int = Field(
        default=8, ge=1, le=500, description="companies that the registers are asked about at the same time"
    )
    register_requests_per_second: dict[RegisterName, PositiveFloat] = Field(
        default={},
        description='most requests a second that each process sends to a register, such as {"credit_record": 50}; '
        "a register that is not named has no limit",
    )
    register_failures_to_open: int = Field(
        default=5, ge=1, description="failed look-ups in a row after which a register is left alone"
    )
    register_open_seconds: float = Field(default=2.0, gt=0, description="how long a failing register is left alone")
    register_answer_age_seconds: float = Field(
        default=300.0, ge=0, description="how old an answer may be that is used for another application"
    )

    assessor_group_size: int = Field(default=200, ge=1, le=2000, description="most applications assessed together")
    assessor_lease_seconds: float = Field(
        default=10.0, gt=1, description="after this long another process may take over an unfinished assessment"
    )
    assessor_poll_seconds: float = Field(default=0.2, gt=0, le=60, description="how often to look for due assessments")
    assessor_pace_seconds: float = Field(
        default=0.005,
        ge=0,
        le=5,
        description="groups begin no closer together: what is due meanwhile shares the next one",
    )
    assessor_first_retry_seconds: float = Field(
        default=0.5, gt=0, description="first pause before an application without its facts is tried again"
    )
    assessor_longest_retry_seconds: float = Field(default=30.0, gt=0, description="longest such pause")
