"""You are where the chapters are played on a running system, and what really happened is written down."""

import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Any, Final
from uuid import uuid4

import httpx
from prometheus_client.parser import text_string_to_metric_families

from stack.demo import Place
from stack.errors import StackError
from stack.events_tail import Seen
from stack.simulators import bodies, population
from stack.simulators.asks import ask
from stack.story.chapters import CHAPTERS, Chapter
from stack.story.listener import Listener, kind

SCHEME: Final = bodies.SCHEME
EXPENSE_FEN: Final = 100_000_00
INVOICE_FEN, TAX_FEN = 42_400_00, 2_400_00
WAIT_SECONDS: Final = 90.0
ANSWER_SECONDS: Final = 10.0
_FAMILIES: Final = ("drawdown_pool_balance_yuan", "drawdown_envelope_remaining_yuan", "drawdown_applications")

Samples = dict[str, float]


@dataclass(frozen=True)
class Call:
    """An HTTP call and what of its answer the chapter is about."""

    method: str
    path: str
    status: int
    answer: dict[str, Any]


@dataclass(frozen=True)
class Told:
    """What a chapter came to. Money in fen; `metrics` are samples of /metrics that moved, before and after."""

    title: str
    tells: str
    call: Call | None
    events: list[dict[str, Any]]
    transfers: list[dict[str, Any]]
    states: dict[str, str]
    metrics: dict[str, tuple[float, float]]
    terms: dict[str, str]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Teller:
    """Plays one application. `run` keeps its contract and its keys apart from those of every other story."""

    place: Place
    client: httpx.AsyncClient
    listener: Listener
    seed: int
    today: date
    run: str = field(default_factory=lambda: uuid4().hex[:6])
    pool: str = ""
    shown: dict[str, float] = field(default_factory=dict)
    application_id: str = ""
    award_id: str = ""
    claim_id: str = ""

    async def play(self) -> AsyncIterator[Told]:
        """Yield each chapter when it is over. Raises StackError where the story does not go on."""
        self.shown = await self._samples()
        for chapter in CHAPTERS:
            yield await self._play(chapter)

    async def books(self) -> dict[str, Any]:
        """The pool at the end, as the metrics service shows it, and the application's timeline."""
        pools = (await self._read("metrics", "/v1/pools", None)).json()["items"]
        scheme = (await self._read("intake", f"/v1/schemes/{SCHEME}", None)).json()
        pool = next(each for each in pools if each["pool"] == scheme["pool"])
        timeline = await self._read("intake", f"/v1/applications/{self.application_id}/timeline", "portal")
        return {"pool": pool, "timeline": timeline.json()["items"]}

    async def _play(self, chapter: Chapter) -> Told:
        began = time.monotonic()
        call = await self._act(chapter)
        events = await self._heard(chapter)
        metrics = await self._moved(chapter)
        if chapter.act == "assessment":
            call = await self._assessment()
        return Told(
            title=chapter.title,
            tells=chapter.tells,
            call=call,
            events=[_event(seen) for seen in events if not kind(seen).startswith("transfer.")],
            transfers=[_transfer(seen) for seen in events if kind(seen).startswith("transfer.")],
            states=await self._states(),
            metrics=metrics,
            terms=dict(chapter.terms),
            seconds=round(time.monotonic() - began, 2),
        )

    # --- what is done --------------------------------------------------------------------------------------------

    async def _act(self, chapter: Chapter) -> Call | None:
        match chapter.act:
            case "offer":
                answer = await self._read("intake", f"/v1/schemes/{SCHEME}", None)
                self.pool = answer.json()["pool"]
                said = {name: answer.json()[name] for name in ("pool", "rate_basis_points", "cap", "envelope", "open")}
                return Call("GET", f"/v1/schemes/{SCHEME}", answer.status_code, said)
            case "draft":
                return await self._draft()
            case "submit":
                return await self._write(f"/v1/applications/{self.application_id}/submission", None, "number", "status")
            case "claim":
                return await self._claim()
            case _:
                return None

    async def _draft(self) -> Call:
        company = population.example(self.seed)
        asked = replace(ask(self.seed, company, self.today, self.run), amount=EXPENSE_FEN)
        asked = replace(asked, contract=replace(asked.contract, amount=EXPENSE_FEN))
        self._contract = asked.contract
        call = await self._write(
            "/v1/applications", bodies.application(asked, submit=False), "application_id", "status"
        )
        self.application_id = call.answer["application_id"]
        return call

    async def _claim(self) -> Call:
        self.award_id = next(
            seen.data["award_id"] for seen in self.listener.of(self.application_id) if kind(seen) == "award.issued"
        )
        invoice = {
            "number": f"INV-{self.run}",
            "seller": self._contract.provider,
            "issued_on": self.today.isoformat(),
            "money": bodies.money(INVOICE_FEN),
            "tax": bodies.money(TAX_FEN),
        }
        usage = {"starts_on": self._contract.starts_on.isoformat(), "ends_on": self.today.isoformat()}
        call = await self._write(
            f"/v1/awards/{self.award_id}/claims", {"invoices": [invoice], "usage": usage}, "claim_id", "status"
        )
        self.claim_id = call.answer["claim_id"]
        return call

    async def _assessment(self) -> Call:
        path = f"/v1/assessments/{self.application_id}"
        answer = await self._read("eligibility", path, "auditor")
        found = answer.json()
        said = {
            "outcome": found["outcome"],
            "policy_version": found["policy_version"],
            "facts": sorted(found["facts"]),
            "replay": {"identical": found["replay"]["identical"]},
        }
        return Call("GET", path, answer.status_code, said)

    async def _write(self, path: str, body: Any, *shown: str) -> Call:
        headers = self._token("portal") | {"Idempotency-Key": f"story-{self.run}-{path}"[:200]}
        answer = await self.client.post(f"{self.place.urls['intake']}{path}", json=body, headers=headers)
        if answer.is_error:
            raise StackError(f"POST {path} is refused: {_detail(answer)}")
        return Call("POST", path, answer.status_code, {name: answer.json()[name] for name in shown})

    async def _read(self, service: str, path: str, scope: str | None) -> httpx.Response:
        headers = self._token(scope) if scope else {}
        answer = await self.client.get(f"{self.place.urls[service]}{path}", headers=headers)
        if answer.is_error:
            raise StackError(f"GET {path} of {service} is refused: {_detail(answer)}")
        return answer

    def _token(self, scope: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.place.tokens(scope, scope)}", "accept-language": "en"}

    # --- what comes of it ----------------------------------------------------------------------------------------

    async def _heard(self, chapter: Chapter) -> list[Seen]:
        """What this chapter takes, once all that it needs was heard."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            heard = self.listener.of(self.application_id) if self.application_id else []
            lacking = set(chapter.needs) - {kind(seen) for seen in heard}
            if not lacking:
                return [seen for seen in heard if kind(seen) in chapter.takes]
            if time.monotonic() > deadline:
                states = await self._states()
                raise StackError(
                    f"no {', '.join(sorted(lacking))} after {WAIT_SECONDS:.0f} s ({states}): drawdown events parked"
                )
            await self.listener.listen()

    async def _moved(self, chapter: Chapter) -> dict[str, tuple[float, float]]:
        """The chapter's figures that are others than when they were last told; waits for the one that has to be."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            now = {name: value for name, value in (await self._samples()).items() if self._is_told(chapter, name)}
            moved = {
                name: (self.shown.get(name, 0.0), at) for name, at in now.items() if at != self.shown.get(name, 0.0)
            }
            if not chapter.moves or any(chapter.moves in name for name in moved):
                self.shown |= now
                return moved
            if time.monotonic() > deadline:
                raise StackError(f"{chapter.moves} did not move within {WAIT_SECONDS:.0f} s: drawdown events lag")
            await self.listener.listen()

    def _is_told(self, chapter: Chapter, name: str) -> bool:
        """Whether a chapter tells this sample: of its figures those of our pool and scheme."""
        ours = f'"{self.pool}"' in name or f'"{SCHEME}"' in name
        return ours and any(figure in name for figure in chapter.figures)

    async def _samples(self) -> Samples:
        text = (await self._read("metrics", "/metrics", None)).text
        return dict(_samples(text))

    async def _states(self) -> dict[str, str]:
        """What the portal shows by now: application, award, claim, payment."""
        if not self.application_id:
            return {}
        shown = (await self._read("intake", f"/v1/applications/{self.application_id}", "portal")).json()
        states = {"application": shown["status"]}
        if shown["award"]:
            states["award"] = shown["award"]["status"]
        for claim in shown["claims"]:
            states["claim"] = claim["status"]
            if claim["payment"]:
                states["payment"] = claim["payment"]["status"]
        return states


def _samples(text: str) -> Iterator[tuple[str, float]]:
    """The samples that a story may move, each under its name with its labels."""
    for family in text_string_to_metric_families(text):
        for sample in family.samples if family.name in _FAMILIES else ():
            labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
            yield f"{sample.name}{{{labels}}}", sample.value


def _event(seen: Seen) -> dict[str, Any]:
    """Where it stands and what it is about; names and accounts stay where they are."""
    said = {name: value for name, value in seen.data.items() if name in _SHOWN and value is not None}
    return {"topic": seen.topic, "type": kind(seen), "key": seen.key, "says": said}


_SHOWN: Final = (
    "scheme", "policy_version", "money", "approved", "awarded", "limited_by", "eligible", "payable", "end_to_end_id",
    "attempt", "bank_reference", "reason_code", "valid_until",
)  # fmt: skip


def _transfer(seen: Seen) -> dict[str, Any]:
    data = seen.data
    return {
        "pool": data["pool"],
        "version": data["version"],
        "from": data["from"],
        "to": data["to"],
        "fen": data["money"]["amount"],
        "reason": data["reason"],
        "balances": data["balances"],
    }


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code}"
