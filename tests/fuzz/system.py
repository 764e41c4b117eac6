"""The system under test: everything that `make up` starts, on free ports, with a small season of real traffic in it."""

import io
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from rich.console import Console

from stack import issuer
from stack.config import Config, Ports
from stack.demo import Place, call_of, play, tokens_of
from stack.home import open_home
from stack.simulators.population import Role
from stack.supervisor import Stack
from tests.journeys.traveller import Traveller

PROVIDER = "91440300192181490G"
SEED = 1


class System:
    """A running system: where its services are, and tokens for them."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.urls = stack.urls

    def token(self, scope: str) -> str:
        """Return a token of this scope; a provider's subject is its USCC."""
        subject = PROVIDER if scope == "provider" else f"fuzz-{scope}"
        return issuer.mint(self.stack.config.home, subject=subject, scopes=[scope], client="portal")

    async def document(self, service: str) -> dict[str, object]:
        """Return the OpenAPI document as the service itself hands it out."""
        async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
            found: dict[str, object] = json.loads((await client.get(f"{self.urls[service]}/openapi.json")).content)
            return found

    async def live_a_little(self) -> None:
        """Let one company be awarded, claim and be paid."""
        async with httpx.AsyncClient(timeout=30.0, trust_env=False) as client:
            traveller = Traveller(self.stack, client)
            state = await traveller.apply(traveller.ask_of(Role.ORDINARY))
            state = await traveller.until_status(state, "awarded")
            answer = await traveller.claim(state, 1_000_000, "F-1")
            assert answer.status_code == 201, answer.text
            await traveller.until_claims_end(state)

    async def live_through(self, companies: int) -> None:
        """Let so many companies apply, be awarded, claim and be paid, so that there is something to read."""
        config = self.stack.config
        place = Place(self.urls, self.stack.kafka_bootstrap, tokens_of(config.home), call=call_of(config))
        await play(place, companies, SEED, Console(file=io.StringIO()))


@asynccontextmanager
async def running() -> AsyncIterator[System]:
    """Run a system in a fresh directory, for as long as the block lasts."""
    path = Path(tempfile.mkdtemp(prefix="drawdown-fuzz-"))
    # A stream that stays open for an hour is never an answer: schemathesis would wait, give up, and check nothing.
    environment = {**os.environ, "INTAKE_EVENTS_STREAM_SECONDS": "0.3"}
    config = Config(home=open_home(path), ports=Ports.free(), environment=environment)
    try:
        async with Stack(config) as stack:
            yield System(stack)
    finally:
        shutil.rmtree(path)
