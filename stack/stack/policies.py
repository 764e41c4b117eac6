"""You are behind `drawdown policies` and `drawdown decisions`: documents to eligibility, what it found back.

Who calls is known by a token: that of DRAWDOWN_TOKEN, else one of the local stack's own issuer.
"""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import yaml

from stack import events, issuer
from stack.errors import StackError
from stack.events import Item
from stack.home import Home

PUBLISH_SECONDS = 30.0
SIMULATION_SECONDS = 3600.0


def validate(paths: Iterable[Path]) -> tuple[list[str], list[str]]:
    """Check documents without a running system; answers what eligibility says of the right ones and of the wrong."""
    command = [sys.executable, "-m", "eligibility", "validate", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.splitlines(), done.stderr.splitlines()


def publish(home: Home, path: Path) -> Item:
    """Publish a document; the system goes on running. Raises StackError with what is wrong with it."""
    headers = {"idempotency-key": str(uuid.uuid4())}
    url = "/v1/policies"
    return dict(_call(home, "POST", url, "policy-editor", PUBLISH_SECONDS, content=_read(path), headers=headers).json())


def simulate(home: Home, path: Path, since: date | None) -> Item:
    """What a draft would have done with the past applications of its scheme, and with the pool that it draws on."""
    document = _read(path)
    asked = {"since": since.isoformat()} if since else {}
    if (appropriated := _appropriated(home, document)) is not None:
        asked["appropriated"] = str(appropriated)
    url = "/v1/policies/simulations"
    return dict(_call(home, "POST", url, "policy-editor", SIMULATION_SECONDS, content=document, params=asked).json())


def _appropriated(home: Home, document: bytes) -> int | None:
    """Return what the draft's pool was given (fen), as disbursement has it; None where the document names no pool."""
    try:
        draft = yaml.safe_load(document)
    except yaml.YAMLError:
        return None  # eligibility says what is wrong with it
    pool = draft.get("pool") if isinstance(draft, dict) else None
    url = f"{events.address(home, 'disbursement')}/v1/pools"
    with _client(home, "auditor", PUBLISH_SECONDS) as client:
        try:
            pools = client.get(url).raise_for_status().json()["items"]
        except httpx.HTTPError as error:
            raise StackError(f"disbursement does not answer at {url} ({error}): drawdown status") from error
    return next((one["appropriated"]["amount"] for one in pools if one["pool"] == pool), None)


def replay(home: Home, scheme: str | None, since: date | None) -> Iterator[Item]:
    """Every decision that comes out otherwise than it was, and at the end how many there are."""
    asked = {"scheme": scheme, "since": f"{since}T00:00:00+00:00" if since else None}
    wanted = {name: value for name, value in asked.items() if value}
    with _client(home, "auditor", SIMULATION_SECONDS) as client:
        try:
            with client.stream("GET", f"{events.address(home, 'eligibility')}/v1/replays", params=wanted) as answer:
                if answer.is_error:
                    answer.read()
                    raise StackError(f"eligibility: {_detail(answer)}")
                for line in answer.iter_lines():
                    yield json.loads(line)
        except httpx.HTTPError as error:
            raise StackError(f"eligibility does not answer ({error}): drawdown status") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StackError(f"can't read {path}: {error.strerror}") from error


def _call(home: Home, method: str, path: str, scope: str, seconds: float, **more: Any) -> httpx.Response:
    url = f"{events.address(home, 'eligibility')}{path}"
    with _client(home, scope, seconds) as client:
        try:
            answer = client.request(method, url, **more)
        except httpx.HTTPError as error:
            raise StackError(f"eligibility does not answer at {url} ({error}): drawdown status") from error
    if answer.is_error:
        raise StackError(f"eligibility: {_detail(answer)}")
    return answer


def _client(home: Home, scope: str, seconds: float) -> httpx.Client:
    headers = {"accept-language": "en", **issuer.at_hand(home, scope)}
    return httpx.Client(trust_env=False, timeout=seconds, headers=headers)


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code} from {answer.url}"
