"""What the crowd will do, drawn from a seed: who submits what, when, how often, and what goes wrong on the way.

Pure. The same plan is made in the process that sends it and in the one that checks what came of it.
"""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from enum import StrEnum
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec

from stack.simulators import bodies
from stack.simulators.asks import ask
from stack.simulators.population import company

MALFORMED_SHARE: Final = 0.05
HANGING_UP_SHARE: Final = 0.02
_COPIES: Final = ((1, 2, 3), (50, 30, 20))
_RUSH_SHARE: Final = 0.5  # of those who submit do so in a rush when the window opens
_RUSH_OF_TIME: Final = 0.1  # of the whole time is the rush's mean
_DOUBLE_CLICK_SECONDS: Final = (0.1, 0.5)
_IMPATIENT_SECONDS: Final = (1.0, 4.0)
_KEYS: Final = UUID("2f0e8a64-9f0b-5d0b-8a0e-3b1f8b1c2d11")  # any fixed namespace


class Manner(StrEnum):
    """How somebody goes about it."""

    USUAL = "usual"
    MALFORMED = "malformed"
    HANGS_UP_MIDWAY = "hangs_up_midway"
    HANGS_UP_AFTER = "hangs_up_after"


class Refused(msgspec.Struct, frozen=True):
    """The answer that a malformed body deserves."""

    status: int
    code: str
    pointer: str | None = None


class Plan(msgspec.Struct, frozen=True):
    """How large the morning is. ``seconds``: how long intents go on to arrive."""

    submissions: int = 20_000
    companies: int = 2_600
    seconds: float = 60.0
    seed: int = 1
    today: date = date(2026, 3, 2)


class Intent(msgspec.Struct, frozen=True):
    """One application that somebody wants to make; ``clicks`` are seconds after the opening, the first one is meant.

    ``mistake`` says what is wrong with a malformed body, ``refused`` what is to be answered to it. Whoever hangs up
    does so on the first click; further clicks are of one who came back.
    """

    number: int
    applicant: str
    contract: str
    key: str
    body: bytes
    clicks: tuple[float, ...]
    manner: Manner = Manner.USUAL
    mistake: str = ""
    refused: Refused | None = None

    @property
    def must_be_accepted(self) -> bool:
        """Whether there has to be an application in the end: all but the malformed, and who hung up and never came."""
        hung_up = self.manner in {Manner.HANGS_UP_MIDWAY, Manner.HANGS_UP_AFTER}
        return self.refused is None and not (hung_up and len(self.clicks) == 1)


def intents(plan: Plan) -> Iterator[Intent]:
    """Yield what is wanted, in the order of the first clicks. Each company comes several times, never alike."""
    draw = random.Random(f"opening {plan.seed}")
    for number, due in enumerate(arrivals(plan, draw)):
        yield _intent(plan, number, due, draw)


def arrivals(plan: Plan, draw: random.Random) -> list[float]:
    """Return when each is meant to be sent, sorted: half of them in a rush at the start, the others all the time."""
    rush = round(plan.submissions * _RUSH_SHARE)
    mean = plan.seconds * _RUSH_OF_TIME
    moments = [draw.expovariate(1 / mean) % plan.seconds for _ in range(rush)]
    moments += [draw.uniform(0, plan.seconds) for _ in range(plan.submissions - rush)]
    return sorted(moments)


def _intent(plan: Plan, number: int, due: float, draw: random.Random) -> Intent:
    asked = ask(plan.seed, company(plan.seed, number % plan.companies), plan.today, run=f"{number}")
    sent = bodies.application(asked, submit=True)
    intent = Intent(
        number=number,
        applicant=asked.company.uscc,
        contract=asked.contract.number,
        key=str(uuid5(_KEYS, f"{plan.seed} {number}")),
        body=msgspec.json.encode(sent),
        clicks=_clicks(due, draw.choices(*_COPIES)[0], draw),
    )
    lot = draw.random()
    if lot < MALFORMED_SHARE:
        return _malformed(intent, sent, draw)
    if lot < MALFORMED_SHARE + HANGING_UP_SHARE:
        return _hanging_up(intent, draw)
    return intent


def _clicks(due: float, copies: int, draw: random.Random) -> tuple[float, ...]:
    clicks = [due]
    while len(clicks) < copies:
        pause = _DOUBLE_CLICK_SECONDS if draw.random() < 0.6 else _IMPATIENT_SECONDS
        clicks.append(clicks[-1] + draw.uniform(*pause))
    return tuple(clicks)


def _hanging_up(intent: Intent, draw: random.Random) -> Intent:
    """A third never comes back."""
    due = intent.clicks[0]
    comes_back = draw.random() < 2 / 3
    clicks = (due, due + draw.uniform(*_IMPATIENT_SECONDS)) if comes_back else (due,)
    manner = draw.choice((Manner.HANGS_UP_MIDWAY, Manner.HANGS_UP_AFTER))
    return msgspec.structs.replace(intent, clicks=clicks, manner=manner)


# --- what can be wrong with a body ------------------------------------------------------------------------


def _malformed(intent: Intent, sent: dict[str, Any], draw: random.Random) -> Intent:
    mistake = draw.choice([*_MISTAKES, "half", "no_key"])
    if mistake == "half":
        body, refused = intent.body[: len(intent.body) // 2], Refused(400, "malformed_json")
    elif mistake == "no_key":
        body, refused = intent.body, Refused(400, "idempotency_key_missing")
    else:
        spoil, refused = _MISTAKES[mistake]
        spoil(sent)
        body = json.dumps(sent, ensure_ascii=False).encode()
    key = "" if mistake == "no_key" else intent.key
    return msgspec.structs.replace(
        intent, manner=Manner.MALFORMED, mistake=mistake, body=body, key=key, refused=refused
    )


def _wrong_check_character(sent: dict[str, Any]) -> None:
    code = sent["applicant"]["uscc"]
    sent["applicant"]["uscc"] = code[:17] + ("0" if code[17] != "0" else "1")


def _ends_before_it_starts(sent: dict[str, Any]) -> None:
    contract = sent["request"]["contract"]
    contract["starts_on"], contract["ends_on"] = contract["ends_on"], contract["starts_on"]


_MISTAKES: Final[Mapping[str, tuple[Callable[[dict[str, Any]], object], Refused]]] = {
    "check_character": (_wrong_check_character, Refused(422, "validation_failed", "/applicant/uscc")),
    "no_account": (
        lambda sent: sent["applicant"].pop("account"),
        Refused(422, "validation_failed", "/applicant/account"),
    ),
    "half_a_fen": (
        lambda sent: sent["request"]["money"].update(amount=0.5),
        Refused(422, "validation_failed", "/request/money/amount"),
    ),
    "typing_error": (lambda sent: sent.update(sumbit=True), Refused(422, "validation_failed", "/sumbit")),
    "contract_backwards": (_ends_before_it_starts, Refused(422, "validation_failed", "/request/contract")),
    "no_such_scheme": (lambda sent: sent.update(scheme="compute-vouchers"), Refused(422, "unknown_scheme", "/scheme")),
    "no_such_district": (
        lambda sent: sent["applicant"].update(district="atlantis"),
        Refused(422, "unknown_district", "/applicant/district"),
    ),
}
