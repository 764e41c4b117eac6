"""What the callers send, as it goes over the wire: applications of the simulated companies, and what readers ask."""

from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Final
from uuid import uuid4

import msgspec

from benchmarks.intake.wire import request
from contracts.policy import Policy
from eligibility.policies import read_documents
from stack.simulators import bodies
from stack.simulators.season import season_asks

SEED: Final = 1
COMPANIES: Final = 500
PAGE: Final = 50
SCHEME: Final = "compute-voucher"
_POLICIES: Final = Path(__file__).parents[2] / "policies"


def policies() -> list[Policy]:
    """Return the programme's policies, as eligibility publishes them."""
    found = (document.policy for document in read_documents(_POLICIES))
    return [policy for policy in found if policy.status == "published"]


@lru_cache(maxsize=1)
def applications() -> tuple[bytes, ...]:
    """Return the bodies that the simulated companies send, about 1 kB each."""
    asked = season_asks(SEED, COMPANIES, datetime.now(UTC).date())
    return tuple(msgspec.json.encode(bodies.application(ask, submit=True)) for ask in asked)


def submissions(count: int, tokens: list[str], random: Random) -> list[bytes]:
    """Return so many applications, each with a key of its own."""
    sent = applications()
    return [_submission(random.choice(tokens), str(uuid4()), random.choice(sent)) for _ in range(count)]


def _submission(token: str, key: str, body: bytes) -> bytes:
    headers = (("authorization", f"Bearer {token}"), ("idempotency-key", key), ("accept-language", "zh-CN"))
    return request("POST", "/v1/applications", headers, body)


def reads(paths: list[str], count: int, tokens: list[str], random: Random) -> list[bytes]:
    """Return so many reads of these paths, each path as often as the others."""
    headers = [("authorization", f"Bearer {random.choice(tokens)}"), ("accept-language", "zh-CN")]
    ready = [request("GET", path, headers) for path in paths]
    return [ready[number % len(ready)] for number in range(count)]
