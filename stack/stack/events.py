"""You are behind `drawdown events`: what each service says over its admin calls about events that wait.

Each function asks one or all services and answers what to show. A service that runs elsewhere than in a data
directory is named by DRAWDOWN_<SERVICE>_URL, brokers by DRAWDOWN_KAFKA_BOOTSTRAP, and DRAWDOWN_TOKEN is the access
token: it needs the scope `ops` here, `auditor` for what is read elsewhere.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from stack import issuer, state
from stack.errors import StackError
from stack.grants import SERVICES
from stack.home import Home
from stack.ports import LOOPBACK

READ_SECONDS = 30.0
REDRIVE_SECONDS = 600.0  # 500 events of a key in one transaction, on a busy day
MOST_KEYS = 1000  # as many as one answer has

Item = dict[str, Any]


@dataclass(frozen=True)
class Signature:
    """Who does it and why: the service keeps both."""

    who: str
    why: str


def address(home: Home, service: str) -> str:
    """The base URL of a service."""
    chosen = os.environ.get(f"DRAWDOWN_{service.upper()}_URL")
    return chosen.rstrip("/") if chosen else f"http://{LOOPBACK}:{port(home, service)}"


def bootstrap(home: Home) -> str:
    """The brokers, as `host:port[,host:port]`."""
    return os.environ.get("DRAWDOWN_KAFKA_BOOTSTRAP") or f"{LOOPBACK}:{port(home, 'kafka')}"


def port(home: Home, component: str) -> int:
    """Where a component of the stack in this data directory listens."""
    known = state.read(home)
    found = known.port(component) if known else None
    if found is None:
        raise StackError(f"no {component} runs in {home.path}: drawdown up")
    return found


def services(chosen: str | None) -> list[str]:
    """The one that was chosen, or all. Raises StackError for a name that is none of them."""
    if chosen is not None and chosen not in SERVICES:
        raise StackError(f"there is no service {chosen}: choose one of {', '.join(SERVICES)}")
    return [chosen] if chosen else list(SERVICES)


def parked(home: Home, chosen: Iterable[str], topic: str | None = None) -> list[Item]:
    """The keys that are held, service by service."""
    asked: dict[str, str | int] = {"limit": MOST_KEYS, **({"topic": topic} if topic else {})}
    return [
        {"service": service, **item}
        for service in chosen
        for item in get(home, service, "/admin/parked", asked)["items"]
    ]


def shown(home: Home, chosen: Iterable[str], topic: str, key: str) -> list[Item]:
    """The parked events of a key, of every service that holds it. Raises StackError when none does."""
    holders = [item["service"] for item in parked(home, chosen, topic) if item["key"] == key]
    if not holders:
        raise StackError(f"{topic} has no parked events of {key}: drawdown events parked")
    return [
        {"service": service, **item}
        for service in holders
        for item in get(home, service, "/admin/parked/events", {"topic": topic, "key": key})["items"]
    ]


def redrive(
    home: Home, keys: Iterable[Item], signed: Signature, *, dry_run: bool, tell: Callable[[str], None]
) -> list[Item]:
    """Redrive these keys, one after the other; answers one outcome for each."""
    outcomes = []
    for held in keys:
        tell(f"{held['service']}: {held['topic']} {held['key']}")
        outcomes.append(_redrive_key(home, held, signed, dry_run=dry_run))
    return outcomes


def _redrive_key(home: Home, held: Item, signed: Signature, *, dry_run: bool) -> Item:
    """One key, in as many calls as its events need."""
    place = {"topic": held["topic"], "key": held["key"]}
    body = {**place, "dry_run": dry_run, "who": signed.who, "why": signed.why}
    total = 0
    while True:
        [outcome] = _post(home, held["service"], "/admin/parked/redrive", body)["items"]
        total += outcome["handled"]
        if dry_run or outcome["stopped_by"] or not outcome["left"] or not outcome["handled"]:
            return {"service": held["service"], **outcome, "handled": total}


def discard(home: Home, service: str, identifier: int, signed: Signature) -> Item:
    """Take one parked event out for good."""
    body = {"id": identifier, "who": signed.who, "why": signed.why}
    return {"service": service, **_post(home, service, "/admin/parked/discard", body)}


def resend(home: Home, service: str, since: datetime, signed: Signature, *, dry_run: bool) -> Item:
    """Have a service publish its outbox again from a moment on."""
    body = {"since": since.isoformat(), "dry_run": dry_run, "who": signed.who, "why": signed.why}
    return {"service": service, **_post(home, service, "/admin/resend", body)}


def reread(home: Home, chosen: Iterable[str], topic: str, signed: Signature, *, dry_run: bool) -> list[Item]:
    """Have these services, as far as they read the topic, read it again from its beginning."""
    body = {"topic": topic, "dry_run": dry_run, "who": signed.who, "why": signed.why}
    readers = [service for service in chosen if topic in {item["topic"] for item in lag(home, [service])}]
    if not readers:
        raise StackError(f"nobody reads {topic}")
    return [{"service": service, **_post(home, service, "/admin/reread", body)} for service in readers]


def audit(home: Home, chosen: Iterable[str]) -> list[Item]:
    """Who redrove or discarded what, the latest first within each service."""
    return [
        {"service": service, **item}
        for service in chosen
        for item in get(home, service, "/admin/parked/audit", {})["items"]
    ]


def lag(home: Home, chosen: Iterable[str]) -> list[Item]:
    """How far each service is behind, by partition."""
    return [
        {"service": service, **item} for service in chosen for item in get(home, service, "/admin/lag", {})["items"]
    ]


def get(home: Home, service: str, path: str, asked: dict[str, str | int]) -> Any:
    """What a service answers, decoded. Raises StackError when it does not answer, or refuses."""
    return _ask(home, service, "GET", path, READ_SECONDS, params=asked)


def text(home: Home, service: str, path: str) -> str:
    """What a service answers, as it stands. Raises StackError when it does not answer, or refuses."""
    return _answer(home, service, "GET", path, READ_SECONDS).text


def _post(home: Home, service: str, path: str, body: Item) -> Any:
    return _ask(home, service, "POST", path, REDRIVE_SECONDS, json=body)


def _ask(home: Home, service: str, method: str, path: str, seconds: float, **more: Any) -> Any:
    return _answer(home, service, method, path, seconds, **more).json()


def _answer(home: Home, service: str, method: str, path: str, seconds: float, **more: Any) -> httpx.Response:
    url = f"{address(home, service)}{path}"
    try:
        headers = {"accept-language": "en", **issuer.at_hand(home, "ops" if path.startswith("/admin") else "auditor")}
        with httpx.Client(trust_env=False, timeout=seconds, headers=headers) as client:
            answer = client.request(method, url, **more)
    except httpx.HTTPError as error:
        raise StackError(f"{service} does not answer at {url} ({error}): drawdown status") from error
    if answer.is_error:
        raise StackError(f"{service}: {detail(answer)}")
    return answer


def detail(answer: httpx.Response) -> str:
    """What a service says of why not."""
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code} from {answer.url}"
