"""``python -m stack.simulators registers|finance``: runs one outside party; the only reader of its settings.

SIM_HTTP_PORT, SIM_HTTP_HOST (loopback when it is not set), SIM_SEED; registers also SIM_COMPANIES and SIM_JWKS (the
file of the issuer's public keys). ``probe`` asks the one on SIM_HTTP_PORT whether it is ready, for a container's health
check. Finance also:

SIM_KAFKA_BOOTSTRAP, SIM_LOG            where it reads and reports, what it remembers
SIM_RETURNED, SIM_RETURNED_AGAIN        shares of the payments that the bank sends back, the first time and later
SIM_REJECTED                            share of the accounts that are not the company's
SIM_DUPLICATES, SIM_LOST                shares of what is reported twice, and only when asked
SIM_CONTRADICTIONS                      share of the payments of which something wrong is reported besides
SIM_DELAY_SECONDS, SIM_REORDER_SECONDS  what a report takes, and up to how much more, each its own
SIM_DISBURSEMENT_URL, SIM_HOME          where its officers call, and the data directory whose issuer signs their tokens
SIM_CANCELLED                           share of the returned payments that they give up
"""

import logging
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Final, TypeVar

import httpx
import uvicorn
from starlette.applications import Starlette

from stack import issuer
from stack.home import Home
from stack.ports import LOOPBACK
from stack.simulators import finance, registers
from stack.simulators.bank import Bank, Proportions
from stack.simulators.officers import CANCELLED, Desk
from stack.simulators.words import Manner

_PROBE_SECONDS: Final = 3.0
Numbers = TypeVar("Numbers", Proportions, Manner)


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
            bank=Bank(
                seed=int(environment.get("SIM_SEED", "1")),
                proportions=_numbers(Proportions, environment),
                manner=_numbers(Manner, environment),
            ),
            log_path=Path(log_path) if log_path else None,
            desk=_desk(environment),
        )
    )


def _numbers(kind: type[Numbers], environment: Mapping[str, str]) -> Numbers:
    """Return one of these, each of its numbers from its variable where that is set."""
    names = {each.name: f"SIM_{each.name.upper()}" for each in fields(kind)}
    return kind(**{name: float(environment[variable]) for name, variable in names.items() if variable in environment})


def _desk(environment: Mapping[str, str]) -> Desk | None:
    url = environment.get("SIM_DISBURSEMENT_URL")
    if url is None:
        return None
    home = Home(Path(environment["SIM_HOME"]))

    def token(person: str) -> str:
        return issuer.mint(home, subject=person, scopes=["finance"], client="finance-simulator")

    return Desk(url, token, cancelled=float(environment.get("SIM_CANCELLED", CANCELLED)))


SIMULATORS: Final[dict[str, Callable[[Mapping[str, str]], Starlette]]] = {
    "registers": registers_app,
    "finance": finance_app,
}


def main(arguments: list[str], environment: Mapping[str, str]) -> None:
    """Serve the named simulator until SIGTERM or SIGINT."""
    if arguments == ["probe"]:
        sys.exit(_probe(int(environment["SIM_HTTP_PORT"])))
    if len(arguments) != 1 or arguments[0] not in SIMULATORS:
        sys.exit(f"usage: python -m stack.simulators {'|'.join(SIMULATORS)}|probe\n\n{__doc__}")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    app = SIMULATORS[arguments[0]](environment)
    port = int(environment["SIM_HTTP_PORT"])
    host = environment.get("SIM_HTTP_HOST", LOOPBACK)
    uvicorn.run(app, host=host, port=port, access_log=False, log_level="warning", timeout_graceful_shutdown=5)


def _probe(port: int) -> str | int:
    """Return 0, or what is wrong, which Python prints and turns into 1."""
    try:
        answer = httpx.get(f"http://{LOOPBACK}:{port}/health/ready", timeout=_PROBE_SECONDS, trust_env=False)
    except httpx.HTTPError as error:
        return f"nothing answers on port {port}: {error}"
    return 0 if answer.is_success else answer.text


if __name__ == "__main__":
    main(sys.argv[1:], os.environ)
