"""What has to hold afterwards, whatever happened in between. Each function answers in words what does not.

What is there is read as the portal reads it: by search, and by id.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final
from uuid import UUID

import msgspec

from benchmarks.opening.crowd import COME_BACK, PATH, Heard, Told
from benchmarks.opening.plan import Intent, Manner
from benchmarks.opening.wire import Answer, Wire

_PAGE: Final = 200
_AT_ONCE: Final = 16
_TRIES: Final = 60
_PAUSE_SECONDS: Final = 0.5
_NOTHING: Final = Told()


class _Company(msgspec.Struct):
    uscc: str


class _Contract(msgspec.Struct):
    number: str


class _Request(msgspec.Struct):
    contract: _Contract


class Application(msgspec.Struct):
    """An application as the portal is shown it."""

    application_id: UUID
    number: str
    status: str
    applicant: _Company
    request: _Request

    @property
    def contract(self) -> str:
        return self.request.contract.number


class _Page(msgspec.Struct):
    items: list[Application]
    next_cursor: str | None = None


async def _read(wire: Wire, path: str) -> Answer:
    """Read as a good portal does: after a 503 or no answer once more, a little later, for as long as its patience."""
    for _ in range(_TRIES - 1):
        try:
            answer = await wire.get(path)
        except (OSError, TimeoutError):
            await asyncio.sleep(_PAUSE_SECONDS)
            continue
        if answer.status not in COME_BACK:
            return answer
        await asyncio.sleep(float(answer.headers["retry-after"]))
    return await wire.get(path)


async def search(wire: Wire, applicant: str = "") -> list[Application]:
    """Return all that the portal finds, of one company or of all."""
    found: list[Application] = []
    asked = f"{PATH}?limit={_PAGE}" + (f"&applicant={applicant}" if applicant else "")
    cursor = ""
    while True:
        answer = await _read(wire, asked + cursor)
        assert answer.status == 200, answer.body
        page = msgspec.json.decode(answer.body, type=_Page)
        found += page.items
        if page.next_cursor is None:
            return found
        cursor = f"&cursor={page.next_cursor}"


async def lost(wire: Wire, intents: Sequence[Intent], heard: Heard, companies: Iterable[str]) -> list[str]:
    """Read what was answered with a 2xx by its id, and all of some companies by search."""
    told = {intent.number: heard.told.get(intent.number, _NOTHING).application_id for intent in intents}
    places = asyncio.Semaphore(_AT_ONCE)

    async def by_id(intent: Intent) -> str | None:
        async with places:
            answer = await _read(wire, f"{PATH}/{told[intent.number]}")
        if answer.status != 200:
            return f"intent {intent.number} was accepted as {told[intent.number]}, which is {answer.status} now"
        found = msgspec.json.decode(answer.body, type=Application)
        same = found.contract == intent.contract and found.applicant.uscc == intent.applicant
        return None if same else f"{found.application_id} is another application than intent {intent.number}'s"

    read = await asyncio.gather(*(by_id(intent) for intent in intents if told[intent.number]))
    missed = [said for said in read if said]
    for company in companies:
        found = {each.application_id for each in await search(wire, company)}
        wanted = {told[intent.number] for intent in intents if intent.applicant == company} - {None}
        missed += [f"{each} of {company} is not found by search" for each in wanted - found]
    return missed


def differences(intents: Sequence[Intent], heard: Heard, listed: Sequence[Application]) -> Iterator[str]:
    """Hold what is listed to what was wanted and told: each intent once, nothing malformed, nothing else."""
    by_contract: defaultdict[str, list[UUID]] = defaultdict(list)
    for each in listed:
        by_contract[each.contract].append(each.application_id)
    for intent in intents:
        there = by_contract.pop(intent.contract, [])
        yield from _of(intent, heard.told.get(intent.number, _NOTHING), there)
    yield from (f"nobody asked for {ids} on contract {contract}" for contract, ids in by_contract.items())
    numbers = {each.number for each in listed}
    if len(numbers) != len(listed):
        yield f"{len(listed)} applications have {len(numbers)} numbers"


def _of(intent: Intent, told: Told, there: list[UUID]) -> Iterator[str]:
    name = f"intent {intent.number} ({intent.manner}{intent.mistake and ' ' + intent.mistake})"
    if len(there) > 1:
        yield f"{name} is there {len(there)} times: {there}"
    if intent.refused is not None:
        if there or told.refusals != {intent.refused} or told.answers:
            yield f"{name} was answered {told.refusals or told.answers} and is there as {there}"
        return
    if told.refusals:
        yield f"{name} was refused: {told.refusals}"
    if len(told.answers) > 1:
        yield f"{name} was given {len(told.answers)} different answers under one key"
    if told.application_id is not None and told.application_id not in there:
        yield f"{name} was accepted as {told.application_id} and is there as {there}"
    if intent.must_be_accepted and told.application_id is None:
        yield f"{name} was never accepted; it is there as {there}"


def hung_up(intents: Sequence[Intent], listed: Sequence[Application]) -> str:
    """Say of how many the application is there though they hung up and never came back."""
    there = {each.contract for each in listed}
    said = []
    for manner in (Manner.HANGS_UP_AFTER, Manner.HANGS_UP_MIDWAY):
        gone = [intent for intent in intents if intent.manner is manner and not intent.must_be_accepted]
        said.append(f"{sum(each.contract in there for each in gone)} of {len(gone)} {manner.replace('_', ' ')}")
    return f"never came back, and are accepted: {', '.join(said)}"
