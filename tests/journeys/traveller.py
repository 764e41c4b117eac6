"""Someone who walks an application through the system by its public interfaces, and waits for what should happen."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx

from stack.config import Config
from stack.demo import tokens_of
from stack.simulators import bodies
from stack.simulators.asks import Ask, ask
from stack.simulators.population import Company, Role, companies
from stack.supervisor import Stack

SEED = 1
PATIENCE_SECONDS = 60.0
_LOOK_EVERY_SECONDS = 0.1

State = dict[str, Any]


class Place(Protocol):
    """Where somebody walks: the base URL of each service by its name, and the keys of its issuer."""

    @property
    def urls(self) -> dict[str, str]: ...

    @property
    def config(self) -> Config: ...


class Walker:
    """Calls one running system, whatever it is made of."""

    def __init__(self, place: Place, client: httpx.AsyncClient) -> None:
        self.place = place
        self.client = client
        self.today = datetime.now(ZoneInfo("Asia/Shanghai")).date()

    def _portal(self) -> dict[str, str]:
        return self._bearer("portal")

    def _bearer(self, scope: str) -> dict[str, str]:
        return {"authorization": f"Bearer {tokens_of(self.place.config.home)(scope, scope)}"}

    def ask_of(self, role: Role, number: int = 0) -> Ask:
        """Return what a company of this role asks for, on a contract of its own."""
        found: list[Company] = [company for company in companies(SEED, 400) if company.role is role]
        return ask(SEED, found[number], self.today, run=uuid4().hex[:8])

    async def get(self, service: str, path: str, **params: Any) -> State:
        headers = self._portal() if service == "intake" else self._bearer("auditor")
        response = await self.client.get(f"{self.place.urls[service]}{path}", params=params, headers=headers)
        assert response.status_code == 200, response.text
        state: State = response.json()
        return state

    async def post(self, path: str, body: Any, key: str | None = None, **more: str) -> httpx.Response:
        headers = {"idempotency-key": key or str(uuid4()), "accept-language": "en"} | self._portal() | more
        return await self.client.post(f"{self.place.urls['intake']}{path}", json=body, headers=headers)

    async def upload(self, content: bytes, kind: str) -> str:
        """Upload a document; return its id."""
        response = await self.client.post(
            f"{self.place.urls['intake']}/v1/documents",
            files={"file": ("document", content)},
            data={"kind": kind},
            headers={"idempotency-key": str(uuid4())} | self._portal(),
        )
        assert response.status_code == 201, response.text
        return str(response.json()["document_id"])

    async def apply(self, asked: Ask, **more: Any) -> State:
        response = await self.post("/v1/applications", bodies.application(asked, submit=True) | more)
        assert response.status_code == 201, response.text
        state: State = response.json()
        return state

    async def claim(self, state: State, amount: int, number: str) -> httpx.Response:
        """Claim ``amount`` fen of expense without tax, on one invoice of the contract's seller."""
        contract = state["request"]["contract"]
        body = {
            "invoices": [
                {
                    "number": number,
                    "seller": contract["provider"],
                    "issued_on": contract["starts_on"],
                    "money": {"amount": amount, "currency": "CNY"},
                    "tax": {"amount": 0, "currency": "CNY"},
                }
            ],
            "usage": {"starts_on": contract["starts_on"], "ends_on": contract["starts_on"]},
        }
        return await self.post(f"/v1/awards/{state['award']['award_id']}/claims", body)

    async def until(self, state: State, wanted: Callable[[State], bool]) -> State:
        """Read an application until it is as wanted; fail with what it is when it takes too long."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while True:
            seen = await self.get("intake", f"/v1/applications/{state['application_id']}")
            if wanted(seen):
                return seen
            assert asyncio.get_running_loop().time() < deadline, f"still {seen}"
            await asyncio.sleep(_LOOK_EVERY_SECONDS)  # a stranger has nothing to await: it looks again

    async def until_status(self, state: State, status: str) -> State:
        return await self.until(state, lambda seen: seen["status"] == status)

    async def until_claims_end(self, state: State) -> State:
        """Wait until every claim is rejected, paid, or its payment was sent back."""
        return await self.until(state, lambda seen: all(_at_rest(claim) for claim in seen["claims"]))

    async def pool(self, pool: str = "ai-package-2025", service: str = "disbursement") -> dict[str, int]:
        """Return a pool's five amounts in fen."""
        pools = (await self.get(service, "/v1/pools"))["items"]
        [found] = [entry for entry in pools if entry["pool"] == pool]
        names = ("appropriated", "available", "committed", "obligated", "disbursed")
        return {name: found[name]["amount"] for name in names}


class Traveller(Walker):
    """One who knows that it is Drawdown: there are services to kill and topics to read."""

    def __init__(self, system: Stack, client: httpx.AsyncClient) -> None:
        super().__init__(system, client)
        self.system = system


def _at_rest(claim: State) -> bool:
    payment = claim["payment"] or {}
    return claim["status"] in ("paid", "rejected") or payment.get("status") == "returned"
