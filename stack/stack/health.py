"""You are where a component is asked whether it can work: services by HTTP, the rest by connecting."""

import asyncio
from collections.abc import Iterable

import httpx

from stack.ports import LOOPBACK
from stack.state import Running

ANSWER_SECONDS = 5.0


async def http_trouble(client: httpx.AsyncClient, url: str) -> str | None:
    """None when `GET {url}/health/ready` is 200, else what it says is missing."""
    try:
        answer = await client.get(f"{url}/health/ready", timeout=ANSWER_SECONDS)
    except httpx.TransportError as error:
        return str(error) or type(error).__name__
    return None if answer.status_code == httpx.codes.OK else _missing(answer)


def _missing(answer: httpx.Response) -> str:
    try:
        missing = answer.json()["missing"]
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code}"
    return "; ".join(f"{part}: {said}" for part, said in missing.items())


async def tcp_trouble(port: int) -> str | None:
    """None when something listens on the port."""
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError as error:
        return error.strerror or str(error)
    writer.close()
    await writer.wait_closed()
    return None


async def troubles(components: Iterable[Running]) -> list[tuple[Running, str | None]]:
    """Each component and what is wrong with it (None: nothing), all asked at once."""
    asked = list(components)
    async with httpx.AsyncClient(trust_env=False) as client:
        return list(zip(asked, await asyncio.gather(*(_trouble(client, each) for each in asked)), strict=True))


async def _trouble(client: httpx.AsyncClient, component: Running) -> str | None:
    if not component.identity.is_alive():
        return "dead"
    if component.name.startswith(("kafka", "postgres", "archive")):
        return await tcp_trouble(component.port)
    return await http_trouble(client, f"http://{LOOPBACK}:{component.port}")
