"""Whether spans are made, and where they go: OpenTelemetry's standard variables, the same for each service.

What is not read here (headers, certificates, resource attributes) the SDK reads by itself. It passes over what it can't
read and goes on with a default; here that is one line and exit code 78.
"""

from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from kit import tracing
from kit.settings import load_settings

Sampler = Literal[
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
]


class TracingSettings(BaseSettings):
    """The ``OTEL_*`` variables that are looked at before the SDK is."""

    model_config = SettingsConfigDict(env_ignore_empty=True)

    otel_sdk_disabled: bool = Field(default=False, description="true switches traces off, whatever else is set")
    otel_traces_exporter: Literal["otlp", "none"] | None = Field(
        default=None, description="otlp sends spans, none does not; left out: otlp where an endpoint is set"
    )
    otel_exporter_otlp_endpoint: str | None = Field(
        default=None, description="http://host:4318 of a collector or trace store; /v1/traces is added"
    )
    otel_exporter_otlp_traces_endpoint: str | None = Field(
        default=None, description="the same for traces alone, and taken as it stands"
    )
    otel_exporter_otlp_protocol: Literal["http/protobuf"] = Field(
        default="http/protobuf", description="the one that is built in; gRPC (port 4317) is not"
    )
    otel_exporter_otlp_traces_protocol: Literal["http/protobuf"] = Field(
        default="http/protobuf", description="the one that is built in; gRPC (port 4317) is not"
    )
    otel_exporter_otlp_compression: Literal["none", "gzip", "deflate"] = Field(
        default="none", description="how what is sent is compressed"
    )
    otel_exporter_otlp_timeout: float = Field(
        default=10.0, gt=0, description="seconds after which a call to the collector is given up, tries included"
    )
    otel_traces_sampler: Sampler = Field(
        default="parentbased_always_on", description="which requests are followed; parentbased_ does as the caller says"
    )
    otel_traces_sampler_arg: float = Field(
        default=1.0, ge=0, le=1, description="for the traceidratio samplers: which part of them"
    )
    otel_bsp_max_queue_size: int = Field(
        default=2048, ge=1, le=100_000, description="spans held in memory at most; beyond it they are dropped"
    )
    otel_bsp_max_export_batch_size: int = Field(default=512, ge=1, description="most spans in one call")
    otel_bsp_schedule_delay: int = Field(default=5000, ge=1, description="milliseconds between two calls")

    @property
    def is_on(self) -> bool:
        """Whether spans are wanted."""
        if self.otel_sdk_disabled or self.otel_traces_exporter == "none":
            return False
        endpoint = self.otel_exporter_otlp_endpoint or self.otel_exporter_otlp_traces_endpoint
        return self.otel_traces_exporter == "otlp" or endpoint is not None

    @field_validator("otel_exporter_otlp_endpoint", "otel_exporter_otlp_traces_endpoint")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value is not None and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname):
            raise ValueError("must begin with http:// or https:// and name a host")
        return value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """A call holds no more spans than there may be in memory."""
        self.otel_bsp_max_export_batch_size = min(self.otel_bsp_max_export_batch_size, self.otel_bsp_max_queue_size)
        return self


def configure(service: str, version: str) -> None:
    """Have spans made and sent if the variables say so; a wrong one ends the process with one line."""
    settings = load_settings(TracingSettings)
    if settings.is_on:
        from kit.exporting import begin  # noqa: PLC0415  # switched off, it costs no import

        tracing.use(begin(service, version, settings))
