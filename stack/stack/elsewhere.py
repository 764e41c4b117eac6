"""You are at a system that something else runs, such as containers, as the environment names it:

DRAWDOWN_INTAKE_URL, DRAWDOWN_ELIGIBILITY_URL, DRAWDOWN_DISBURSEMENT_URL, DRAWDOWN_METRICS_URL   the services
DRAWDOWN_FINANCE_URL                                                                             the simulated bank
DRAWDOWN_KAFKA_BOOTSTRAP                                                                         HOST:PORT of a broker

It believes tokens of the issuer whose keys are in the data directory.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from stack.errors import ConfigurationError
from stack.simulators.auditor import SERVICES

_KAFKA: Final = "DRAWDOWN_KAFKA_BOOTSTRAP"


@dataclass(frozen=True)
class Elsewhere:
    """Where it is reached."""

    urls: Mapping[str, str]
    kafka_bootstrap: str


def named(environment: Mapping[str, str]) -> Elsewhere | None:
    """Return what the environment names; None when it names no service.

    Raises ConfigurationError when it names one and not the others.
    """
    variables = {name: f"DRAWDOWN_{name.upper()}_URL" for name in SERVICES}
    if not any(variable in environment for variable in variables.values()):
        return None
    if lacking := [each for each in (*variables.values(), _KAFKA) if not environment.get(each)]:
        raise ConfigurationError(f"{', '.join(lacking)} is not set, as the others that name a system are: set it too")
    return Elsewhere({name: environment[variable] for name, variable in variables.items()}, environment[_KAFKA])
