"""Eight months of a city's programme, as events: ten schemes, eleven districts, three pools, some 240 companies.

The same each time. The names of pools, schemes and districts are those of ``policies/``.
"""

from collections.abc import Iterator
from random import Random
from typing import Any, Final

import msgspec
import yaml

from contracts.common import Text
from contracts.events import Event
from tests.metrics.conftest import PROGRAMME_FILE
from tests.metrics.story import Case, Ledger, one_paid_case, policy

DAY: Final = 24 * 60
DISTRICTS: Final = {
    "nanshan": 60, "baoan": 38, "longgang": 34, "futian": 30, "longhua": 24, "guangming": 16, "luohu": 12,
    "pingshan": 10, "yantian": 3, "dapeng": 2, "shenshan": 1,
}  # fmt: skip
# By scheme: how many awards, and from what to what is paid, in yuan.
PAID: Final = {
    "compute-voucher": (150, 180_000, 6_000_000),
    "corpus-voucher": (22, 90_000, 2_000_000),
    "model-voucher": (26, 60_000, 1_500_000),
    "humanoid-robotics": (12, 3_000_000, 28_000_000),
    "open-competition": (4, 12_000_000, 30_000_000),
    "scenario-subsidy": (16, 400_000, 5_000_000),
    "opc-startup": (24, 20_000, 150_000),
    "robotics-fund-investment": (14, 9_000_000, 60_000_000),
    "terminal-fund-investment": (11, 8_000_000, 45_000_000),
}
COMMUNITIES: Final = 6


class Season:
    """Tells it, and goes on telling: ``more`` is one payment more."""

    def __init__(self, seed: int = 1, salt: int = 0) -> None:
        self._random = Random(seed)
        self._salt = salt * 100_000
        self._number = 0
        known = yaml.safe_load(PROGRAMME_FILE.read_text("utf-8"))
        self._appropriated = {each["pool"]: each["appropriated"]["amount"] for each in known["pools"]}
        self._ledgers = {pool: Ledger(pool) for pool in self._appropriated}
        self._policies = [_read(path.read_text("utf-8")) for path in _documents()]

    def events(self) -> Iterator[Event]:
        """All of it, in an order in which it may be heard."""
        for published in self._policies:
            document = msgspec.structs.replace(policy(published.scheme).policy, title=published.title)
            yield msgspec.structs.replace(policy(published.scheme), policy=document)
        for pool, ledger in self._ledgers.items():
            yield ledger.open(self._appropriated[pool])
        yield from self._payments()
        for _ in range(COMMUNITIES):
            yield from self._community()
        for _ in range(31):
            case = self._case("compute-voucher")
            yield case.submitted(self._day() * DAY)
            yield case.rejected(self._day() * DAY)

    def more(self, amount: int = 1_000_000_000, scheme: str = "compute-voucher") -> list[Event]:
        """One company more is paid: ten million yuan unless told otherwise."""
        return one_paid_case(self._ledger(scheme), self._case(scheme), minutes=230 * DAY, paid=amount)

    def _payments(self) -> Iterator[Event]:
        """Payments rise over the months, as a programme's do."""
        for scheme, (awards, least, most) in PAID.items():
            for _ in range(awards):
                yuan = int(least * (most / least) ** self._random.random())
                fen = yuan * 100 + self._random.randrange(100)
                case, day = self._case(scheme), self._day()
                if self._random.random() < 0.86:
                    yield from one_paid_case(self._ledger(scheme), case, minutes=day * DAY, paid=fen)
                else:
                    yield from self._promise(case, day * DAY, fen)

    def _promise(self, case: Case, minutes: int, amount: int) -> Iterator[Event]:
        """An award on which nothing was claimed yet."""
        about = {"application_id": case.application_id, "award_id": case.award_id, "district": case.district}
        yield case.submitted(minutes)
        yield case.approved(minutes, amount=amount)
        yield self._ledger(case.scheme).post(
            "available", "committed", amount, minutes=minutes, scheme=case.scheme, reason="award.issued", **about
        )
        yield case.awarded(minutes, amount=amount)

    def _community(self) -> Iterator[Event]:
        case = self._case("opc-community")
        asked = case.submitted(self._day() * DAY)
        details: dict[str, Any] = {"area_m2": self._random.randrange(12_000, 45_000)}
        yield msgspec.structs.replace(asked, request=msgspec.structs.replace(asked.request, details=details))
        yield case.approved(230 * DAY)
        yield case.awarded(230 * DAY)

    def _day(self) -> int:
        return int(229 * self._random.random() ** 0.6)

    def _case(self, scheme: str) -> Case:
        self._number += 1
        [district] = self._random.choices(list(DISTRICTS), weights=list(DISTRICTS.values()))
        company = f"91440300{self._random.randrange(240):010d}"
        return Case(self._salt + self._number, scheme, applicant=company, district=district)

    def _ledger(self, scheme: str) -> Ledger:
        [pool] = {each.pool for each in self._policies if each.scheme == scheme}
        assert pool is not None
        return self._ledgers[pool]


class _Published(msgspec.Struct):
    scheme: str
    pool: str | None
    title: Text


def _documents() -> list[Any]:
    return sorted(path for path in PROGRAMME_FILE.parent.glob("*.yaml") if path != PROGRAMME_FILE)


def _read(document: str) -> _Published:
    return msgspec.convert(yaml.safe_load(document), _Published)
