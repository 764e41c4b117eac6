"""How Kafka's brokers are reached: their addresses, and what a client shows to be let in."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from kit.errors import SetupError

_MECHANISM: Final = "SCRAM-SHA-512"


class Brokers(str):
    """``host:port[,host:port]`` with a client's TLS and login. Plain text is the same without either."""

    options: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        addresses: str,
        *,
        tls: bool,
        ca_file: Path | None,
        user: str | None,
        password: str | None,
        variables: str = "",
    ) -> "Brokers":
        """Return the way in. With a ``ca_file`` only what it signed is trusted, otherwise what this machine trusts.

        ``variables`` is what the operator's variables begin with. Raises SetupError when a part is missing or can't
        be read.
        """
        if (user is None) != (password is None):
            raise SetupError(
                f"{variables}KAFKA_USER and {variables}KAFKA_PASSWORD belong together: set both, or neither"
            )
        secured = tls or ca_file is not None
        options: dict[str, Any] = {"ssl_context": _trusting(ca_file, variables)} if secured else {}
        if user is not None:
            options |= {
                "sasl_mechanism": _MECHANISM,
                "sasl_plain_username": user,
                "sasl_plain_password": password,
            }
        options["security_protocol"] = f"{'SASL_' if user else ''}{'SSL' if secured else 'PLAINTEXT'}"
        brokers = cls(addresses)
        brokers.options = options
        return brokers


def connection(brokers: str) -> dict[str, Any]:
    """Return the arguments with which any of aiokafka's clients reaches the brokers."""
    options = brokers.options if isinstance(brokers, Brokers) else {}
    return {"bootstrap_servers": str(brokers), **options}


def _trusting(ca_file: Path | None, variables: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or type(error).__name__
        raise SetupError(f"{variables}KAFKA_CA_FILE: can't read certificates from {ca_file} ({reason})") from error
