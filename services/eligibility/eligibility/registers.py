"""The outside registers over HTTP: what they know of a company, or None for what can't be found out right now.

A register that is slow, away or talks nonsense gives no answer; it never gives a wrong one. "Not in the register" is
an answer only where a register has it in JSON: the page of a proxy or of a mistyped address says nothing of a company.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import msgspec
from aiolimiter import AsyncLimiter
from yarl import URL

from eligibility import meters
from eligibility.breaker import Breaker
from eligibility.rules import REGISTERS
from eligibility.settings import Settings
from kit.backoff import Backoff
from kit.logging import get_logger

log = get_logger(__name__)

_FIRST_RETRY_SECONDS: Final = 0.05
_LONGEST_RETRY_SECONDS: Final = 1.0
_SOON_SECONDS: Final = 1.0
_MOST_CACHED_ANSWERS: Final = 20_000  # about 10 MB
_JSON: Final = ("application/json", "application/problem+json")

Answer = dict[str, Any]


class _BusinessRegistration(msgspec.Struct):
    status: str


class _CreditRecord(msgspec.Struct):
    blacklisted: bool


class _RelatedCompanies(msgspec.Struct):
    group: str
    members: list[str]


class _Provider(msgspec.Struct):
    listed: bool
    services: list[str]


class _Register(msgspec.Struct, frozen=True):
    """A register's path, the fields that an answer must have, what to add to it, and what a 404 says of a company.

    ``absent`` is None where every company has an answer: there a 404 says nothing.
    """

    path: str
    shape: type[msgspec.Struct]
    found: Answer = {}
    absent: Answer | None = None


_PLACES: Final[dict[str, _Register]] = {
    "business_registration": _Register(
        "/business-registration/companies/{}", _BusinessRegistration, {"found": True}, {"found": False}
    ),
    "credit_record": _Register("/credit-records/{}", _CreditRecord),
    "related_companies": _Register("/related-companies/{}", _RelatedCompanies),
    "provider": _Register("/providers/{}", _Provider, absent={"listed": False, "services": []}),
}
assert set(_PLACES) == set(REGISTERS)


class NoAnswerError(Exception):
    """The register could not be asked, or what it said is no answer. ``retry`` tells whether asking again may help."""

    def __init__(self, said: str, *, retry: bool = True) -> None:
        super().__init__(said)
        self.retry = retry


class Registers:
    """The client. Bounded in everything: connections, companies at once, tries, time, answers kept."""

    def __init__(self, settings: Settings) -> None:
        self._tries = settings.register_tries
        self._answer_age_seconds = settings.register_answer_age_seconds
        self._companies = asyncio.Semaphore(settings.register_companies_at_once)
        self._breakers = {name: _breaker(settings) for name in REGISTERS}
        self._answers: OrderedDict[tuple[str, str], tuple[float, Answer]] = OrderedDict()
        self._asking: dict[tuple[str, str], asyncio.Task[Answer | None]] = {}
        self._ahead: set[asyncio.Task[dict[str, Answer]]] = set()
        self._url = settings.registers_url.rstrip("/")
        self._clients = {name: _client(settings) for name in REGISTERS}
        limited = settings.register_requests_per_second
        self._limits: dict[str, AsyncLimiter] = {name: _limit(rate) for name, rate in limited.items()}

    async def close(self) -> None:
        for task in (*self._ahead, *self._asking.values()):
            task.cancel()
        for client in self._clients.values():
            await client.close()

    async def ask(self, wanted: Mapping[str, str]) -> dict[str, Answer]:
        """Ask each register about a company's code; return the answers there are, each with the time it was given."""
        async with self._companies:
            answers = await asyncio.gather(*(self._look_up(name, code) for name, code in wanted.items()))
        return {name: answer for name, answer in zip(wanted, answers, strict=True) if answer is not None}

    def ask_ahead(self, wanted: Mapping[str, str]) -> None:
        """Begin to ask what will be wanted in a moment: ``ask`` finds the answers, or waits for those under way."""
        if self._answer_age_seconds < _SOON_SECONDS:
            return
        asking = asyncio.create_task(self.ask(wanted))
        self._ahead.add(asking)
        asking.add_done_callback(self._ahead.discard)

    def kept(self, wanted: Mapping[str, str]) -> dict[str, Answer] | None:
        """Return what ``ask`` would return without asking anybody; None where one of the answers is not at hand."""
        answers: dict[str, Answer] = {}
        for name, code in wanted.items():
            answer = self._kept(name, code)
            if answer is None:
                return None
            answers[name] = answer
        return answers

    def open_circuits(self) -> list[str]:
        """Return the registers that are left alone right now."""
        return [name for name, breaker in self._breakers.items() if breaker.is_open]

    async def _look_up(self, name: str, code: str) -> Answer | None:
        """Return the answer that is kept, or that somebody waits for already, or a new one."""
        kept = self._kept(name, code)
        if kept is not None:
            return kept
        place = name, code
        task = self._asking.get(place)
        if task is None:
            task = self._asking[place] = asyncio.create_task(self._asked(name, code))
            task.add_done_callback(lambda _: self._asking.pop(place, None))
        return await asyncio.shield(task)

    async def _asked(self, name: str, code: str) -> Answer | None:
        breaker = self._breakers[name]
        if not breaker.allows():
            return None
        started = time.perf_counter()
        answer: Answer | None = None
        try:
            answer = await self._try(name, code)
        except NoAnswerError as error:
            breaker.failed()
            log.warning("register_gives_no_answer", register=name, reason=str(error), circuit_open=breaker.is_open)
        except asyncio.CancelledError:
            breaker.abandoned()
            raise
        else:
            breaker.succeeded()
            self._keep(name, code, answer)
        meters.REGISTER_SECONDS.labels(name, "answered" if answer else "no_answer").observe(
            time.perf_counter() - started
        )
        meters.REGISTER_OPEN.labels(name).set(breaker.is_open)
        return answer

    async def _try(self, name: str, code: str) -> Answer:
        backoff = Backoff(_FIRST_RETRY_SECONDS, _LONGEST_RETRY_SECONDS)
        while True:
            try:
                return await self._get(name, code)
            except NoAnswerError as error:
                if not error.retry or backoff.attempts >= self._tries - 1:
                    raise
            await asyncio.sleep(backoff.next_seconds())

    async def _get(self, name: str, code: str) -> Answer:
        register, limit = _PLACES[name], self._limits.get(name)
        if limit is not None:
            await limit.acquire()
        url = URL(self._url + register.path.format(quote(code, safe="")), encoded=True)
        try:
            async with self._clients[name].get(url, allow_redirects=False) as response:
                content = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NoAnswerError(str(error) or type(error).__name__) from error
        answer = read_answer(register, response.status, response.content_type, content)
        return {**answer, "asked_at": datetime.now(UTC).isoformat()}

    # --- answers are kept for a while: many applications name the same providers

    def _kept(self, name: str, code: str) -> Answer | None:
        given_at, answer = self._answers.get((name, code), (0.0, None))
        if answer is None or time.monotonic() - given_at > self._answer_age_seconds:
            return None
        return answer

    def _keep(self, name: str, code: str, answer: Answer) -> None:
        self._answers[name, code] = (time.monotonic(), answer)
        self._answers.move_to_end((name, code))
        if len(self._answers) > _MOST_CACHED_ANSWERS:
            self._answers.popitem(last=False)


def _client(settings: Settings) -> aiohttp.ClientSession:
    """Connections of its own for each register, so that a slow one takes none of another's."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=settings.register_companies_at_once),
        timeout=aiohttp.ClientTimeout(
            total=settings.register_timeout_seconds, sock_connect=settings.register_connect_timeout_seconds
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def _limit(rate: float) -> AsyncLimiter:
    """Return a limit of so many requests a second, of which a second's worth may come at once."""
    at_once = max(1.0, rate)
    return AsyncLimiter(at_once, at_once / rate)


def _breaker(settings: Settings) -> Breaker:
    return Breaker(
        failures_to_open=settings.register_failures_to_open,
        open_seconds=settings.register_open_seconds,
        clock=time.monotonic,
    )


def read_answer(register: _Register, status: int, content_type: str, content: bytes) -> Answer:
    """Return what a register's response says; raise NoAnswerError when it is no answer."""
    match status:
        case 200:
            return _answer(register, content)
        case 404 if register.absent is not None and content_type in _JSON:
            return register.absent
        case 429 | 500 | 502 | 503 | 504:
            raise NoAnswerError(f"HTTP {status}")
        case _:
            raise NoAnswerError(f"HTTP {status}", retry=False)


def _answer(register: _Register, content: bytes) -> Answer:
    try:
        answer = msgspec.json.decode(content, type=dict[str, Any])
        msgspec.convert(answer, register.shape)
    except msgspec.MsgspecError as error:
        raise NoAnswerError(f"not the agreed form: {error}", retry=False) from error
    return {**register.found, **answer}
