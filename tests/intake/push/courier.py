"""Addresses and posts by hand, at the times that a test says."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx

from intake.push.addressing import Addressing
from intake.push.guard import Guard, networks_of
from intake.push.posting import Poster
from intake.push.sender import Sender
from kit.database import Database
from tests.intake.push.receiver import Receiver
from tests.intake.scenes import Portal


class Courier:
    """One process's worth of addressing and sending."""

    def __init__(self, database: Database, *, call_seconds: float = 2.0, allowed: str = "127.0.0.0/8") -> None:
        self.addressing = Addressing(database)
        self._poster = Poster(Guard(networks_of([allowed])), seconds=call_seconds)
        self.sender = Sender(database, self._poster, call_seconds=call_seconds)

    async def round(self, now: datetime | None = None) -> int:
        """Address all there is and post what is due once; return how many calls that were."""
        while await self.addressing.round() or self.addressing._horizon.waits:
            pass
        return await self.sender.round(now or datetime.now(UTC))

    async def all(self, now: datetime | None = None) -> int:
        """Post until nothing is due."""
        calls = 0
        while done := await self.round(now):
            calls += done
        return calls

    async def close(self) -> None:
        await self._poster.close()


async def subscribe(portal: Portal, receiver: Receiver, **more: Any) -> dict[str, Any]:
    """Make a webhook; the receiver checks by its secret from now on."""
    made = await post(portal, "/v1/webhooks", {"url": receiver.url, **more})
    assert made.status_code == 201, made.text
    webhook: dict[str, Any] = made.json()
    receiver.secret = webhook["secret"]
    return webhook


async def post(portal: Portal, path: str, body: Any = None, key: str | None = None) -> httpx.Response:
    headers = {"idempotency-key": key or str(uuid4()), "accept-language": "en"}
    return await portal.client.post(path, json=body, headers=headers)


async def deliveries(portal: Portal, webhook: dict[str, Any], query: str = "") -> list[dict[str, Any]]:
    answer = await portal.client.get(f"/v1/webhooks/{webhook['webhook_id']}/deliveries{query}")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def shown(portal: Portal, webhook: dict[str, Any]) -> dict[str, Any]:
    answer = await portal.client.get(f"/v1/webhooks/{webhook['webhook_id']}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found
