"""What an operator of intake may set, beside what every service has."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from kit.settings import KeyringSettings


class Settings(KeyringSettings):
    """Variables begin with ``INTAKE_``."""

    model_config = SettingsConfigDict(env_prefix="INTAKE_", extra="ignore")

    http_port: int = Field(default=8001, ge=0, le=65535, description="port that the HTTP server listens on")
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
    write_group_size: int = Field(default=100, ge=1, le=1000, description="most requests that share a transaction")
