"""``python -m stack.simulators registers|finance``: runs one outside party; the only reader of its settings.

SIM_HTTP_PORT, SIM_SEED; registers also SIM_COMPANIES and SIM_JWKS (the file of the issuer's public keys); finance also
SIM_KAFKA_BOOTSTRAP, SIM_LOG, SIM_RETURNED, SIM_DUPLICATES and SIM_LOST (shares of all payments: sent back, reported
twice, reported only when asked), SIM_DELAY_SECONDS (what the bank takes).
"""

import logging
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import uvicorn
from starlette.applications import Starlette

from stack.simulators import finance, registers
from stack.simulators.bank import Proportions

HOST: Final = "127.0.0.1"


def registers_app(environment: Mapping[str, str]) -> Starlette:
    seed = int(environment.get("SIM_SEED", "1"))
    companies = int(environment.get("SIM_COMPANIES", registers.COMPANIES_BY_DEFAULT))
    jwks = environment.get("SIM_JWKS")
    return registers.create_app(registers.Registers(seed, companies), Path(jwks) if jwks else None)


def finance_app(environment: Mapping[str, str]) -> Starlette:
    log_path = environment.get("SIM_LOG")
    return finance.create_app(
        finance.FinanceSettings(
            kafka_bootstrap=environment["SIM_KAFKA_BOOTSTRAP"],
            seed=int(environment.get("SIM_SEED", "1")),
            log_path=Path(log_path) if log_path else None,
            delay_seconds=float(environment.get("SIM_DELAY_SECONDS", "0.05")),
            proportions=Proportions(
                returned=float(environment.get("SIM_RETURNED", "0.03")),
                duplicates=float(environment.get("SIM_DUPLICATES", "0.05")),
                lost=float(environment.get("SIM_LOST", "0")),
            ),
        )
    )


SIMULATORS: Final[dict[str, Callable[[Mapping[str, str]], Starlette]]] = {
    "registers": registers_app,
    "finance": finance_app,
}


def main(arguments: list[str], environment: Mapping[str, str]) -> None:
    """Serve the named simulator until SIGTERM or SIGINT."""
    if len(arguments) != 1 or arguments[0] not in SIMULATORS:
        sys.exit(f"usage: python -m stack.simulators {'|'.join(SIMULATORS)}")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    app = SIMULATORS[arguments[0]](environment)
    port = int(environment["SIM_HTTP_PORT"])
    uvicorn.run(app, host=HOST, port=port, access_log=False, log_level="warning", timeout_graceful_shutdown=5)


if __name__ == "__main__":
    main(sys.argv[1:], os.environ)
