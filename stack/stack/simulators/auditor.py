"""An auditor: reads everything that the services show, changes nothing, and lays it side by side."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import httpx
import msgspec

from contracts.events import (
    ApplicationSubmitted,
    AwardRefused,
    ClaimSubmitted,
    Event,
    PaymentCancelled,
    PaymentInstructed,
)
from stack.simulators.calls import Caller
from stack.simulators.officers import Bearer, portal_of
from stack.simulators.panel import Tokens
from stack.simulators.reading import Record, read_topics
from stack.simulators.views import (
    ApplicationView,
    Assessment,
    Award,
    BankEntry,
    Discrepancy,
    OfficersView,
    Payment,
    Pool,
    Target,
)

SERVICES: Final = ("intake", "eligibility", "disbursement", "metrics", "finance")
_TIMEOUT_SECONDS: Final = 10.0

Transfer = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything that was read at about the same moment; consistent when the system was at rest."""

    applications: dict[UUID, ApplicationView] = field(default_factory=dict)
    assessments: dict[UUID, Assessment] = field(default_factory=dict)
    awards: list[Award] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    pools: list[Pool] = field(default_factory=list)
    transfers: dict[str, list[Transfer]] = field(default_factory=dict)
    metrics_pools: list[Pool] = field(default_factory=list)
    metrics_text: str = ""
    targets: list[Target] = field(default_factory=list)
    discrepancies: list[Discrepancy] = field(default_factory=list)
    bank: list[BankEntry] = field(default_factory=list)
    officers: OfficersView = field(default_factory=OfficersView)
    instructions: list[Record] = field(default_factory=list)
    submissions: list[Record] = field(default_factory=list)
    award_events: list[Record] = field(default_factory=list)

    def submitted(self) -> list[ApplicationSubmitted]:
        """Return the submissions, without what a restarted relay sent again under the same ``ce_id``."""
        return [event for event in _once(self.submissions) if isinstance(event, ApplicationSubmitted)]

    def claimed(self) -> list[ClaimSubmitted]:
        """Return the claims, in the same way."""
        return [event for event in _once(self.submissions) if isinstance(event, ClaimSubmitted)]

    def refused(self) -> set[UUID]:
        """Return the applications that were approved and then got nothing."""
        return {each.event.application_id for each in self.award_events if isinstance(each.event, AwardRefused)}

    def instructed(self) -> list[PaymentInstructed]:
        """Return the instructions, in the same way."""
        return [event for event in _once(self.instructions) if isinstance(event, PaymentInstructed)]

    def cancelled(self) -> list[PaymentCancelled]:
        """Return the payments that finance was told are given up, in the same way."""
        return [event for event in _once(self.instructions) if isinstance(event, PaymentCancelled)]


def _once(records: Iterable[Record]) -> Iterable[Event]:
    return {each.event_id: each.event for each in records}.values()


class Auditor:
    """Reads from a running stack, given where it is."""

    def __init__(self, callers: Mapping[str, Caller], kafka_bootstrap: str) -> None:
        self._callers = callers
        self._bootstrap = kafka_bootstrap

    async def gather(self) -> Evidence:
        """Read everything once."""
        disbursement, metrics = self._callers["disbursement"], self._callers["metrics"]
        pools = (await disbursement.page("/v1/pools", Pool)).items
        return Evidence(
            applications={state.application_id: state for state in await self._all("intake", "applications")},
            assessments={each.application_id: each for each in await self._all("eligibility", "assessments")},
            awards=await self._all("disbursement", "awards"),
            payments=await self._all("disbursement", "payments"),
            pools=pools,
            transfers={pool.pool: await self._transfers(pool.pool) for pool in pools},
            metrics_pools=(await metrics.page("/v1/pools", Pool)).items,
            metrics_text=(await metrics.read("/metrics")).decode(),
            targets=(await metrics.page("/v1/targets", Target)).items,
            discrepancies=await self._all("disbursement", "discrepancies"),
            bank=(await self._callers["finance"].page("/v1/log", BankEntry)).items,
            officers=msgspec.json.decode(await self._callers["finance"].read("/v1/officers"), type=OfficersView),
            instructions=await read_topics(self._bootstrap, "disbursement.payments"),
            submissions=await read_topics(self._bootstrap, "intake.applications"),
            award_events=await read_topics(self._bootstrap, "disbursement.awards"),
        )

    async def _all(self, service: str, what: str) -> list[Any]:
        return [item async for item in self._callers[service].pages(f"/v1/{what}", _LISTS[what])]

    async def _transfers(self, pool: str) -> list[Transfer]:
        ledger = self._callers["disbursement"]
        pages = ledger.pages("/v1/transfers", Transfer, cursor_name="after_version", pool=pool)
        return [transfer async for transfer in pages]


_LISTS: Final[dict[str, type[Any]]] = {
    "applications": ApplicationView,
    "assessments": Assessment,
    "awards": Award,
    "payments": Payment,
    "discrepancies": Discrepancy,
}


@asynccontextmanager
async def calling(urls: Mapping[str, str], tokens: Tokens, connections: int = 24) -> AsyncIterator[dict[str, Caller]]:
    """Open a caller for each service and outside party that the urls name: intake is called as the portal, others read.

    Writers need room besides readers.
    """
    auditor = Bearer(lambda person: tokens(person, "auditor"), "auditor")
    sent_along = {"intake": portal_of(tokens), "eligibility": auditor, "disbursement": auditor}
    limits = httpx.Limits(max_connections=connections)
    async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, limits=limits, trust_env=False) as client:
        yield {name: Caller(client, url, auth=sent_along.get(name)) for name, url in urls.items() if name in SERVICES}
