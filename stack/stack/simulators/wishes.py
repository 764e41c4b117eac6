"""What companies ask for under the other schemes: a few under each, so that every kind of claim and review occurs.

Pure, like ``asks``: everything follows from the seed, the day and the run. Communities come first: whoever wants
support as a resident has to name one that is accredited.
"""

import random
from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from stack.simulators import bodies
from stack.simulators.asks import Ask, Signed, Wish, ask
from stack.simulators.codes import code_of
from stack.simulators.population import Company, Role, company
from stack.simulators.relations import providers

COMMUNITY_SCHEME: Final = "opc-community"
_FROM: Final = 10_000  # far behind the companies of a season
_APART: Final = 1_000
_YUAN: Final = 100
_PLACES: Final = ("nanshan", "longgang")  # policies/opc-community.yaml


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Who asks under a scheme: how many, which companies may, and for what."""

    scheme: str
    count: int
    may: Callable[[Company], bool]
    wish: Callable[["_Asker"], Wish]


@dataclass(frozen=True, slots=True)
class _Asker:
    company: Company
    contract: Signed
    draw: random.Random
    today: date
    run: str
    communities: tuple[str, ...]
    seed: int

    def number(self, name: str) -> str:
        return f"{self.company.uscc[-7:]}{self.run}{name}"


def communities(seed: int, today: date, run: str = "") -> list[Ask]:
    """Return who wants to be accredited as a community; one of them is too small."""
    return list(_asks(_COMMUNITIES, seed, today, run, ()))


def competitors(seed: int, today: date, run: str = "") -> list[Ask]:
    """Return who takes part in the ranking call."""
    return list(_asks(_COMPETITORS, seed, today, run, ()))


def others(seed: int, today: date, run: str = "") -> list[Ask]:
    """Return what is asked for under all other schemes that give money, but the compute voucher."""
    codes = tuple(one.company.uscc for one in communities(seed, today, run)[:-1])
    return [one for wanted in _OTHERS for one in _asks(wanted, seed, today, run, codes)]


def _asks(wanted: _Wanted, seed: int, today: date, run: str, codes: tuple[str, ...]) -> Iterator[Ask]:
    for each in _companies(wanted, seed):
        plain = ask(seed, each, today, run)
        draw = random.Random(f"wish {seed} {wanted.scheme} {each.index}")
        wish = wanted.wish(_Asker(each, plain.contract, draw, today, run, codes, seed))
        yield replace(plain, wish=wish)


def _companies(wanted: _Wanted, seed: int) -> Iterator[Company]:
    left, index = wanted.count, _FROM + _APART * (_PLACE[wanted.scheme])
    while left:
        found = company(seed, index)
        if found.role is Role.ORDINARY and wanted.may(found):
            yield found
            left -= 1
        index += 1


# --- what each scheme is asked for -----------------------------------------------------------------------------


def _voucher(scheme: str) -> Callable[[_Asker], Wish]:
    def wish(asker: _Asker) -> Wish:
        expense = asker.draw.randint(50, 900) * 10_000 * _YUAN
        seller = asker.draw.choice(providers(asker.seed)[:4]).uscc
        signed = replace(asker.contract, number=asker.number(scheme[:2].upper()), provider=seller, amount=expense)
        request = {"money": bodies.money(expense), "contract": bodies.contract(signed), "details": {}}
        return Wish(scheme, request, (_claim(invoices=[_invoice(asker, seller, expense // 2, "a")]),))

    return wish


def _scenario(asker: _Asker) -> Wish:
    kind = asker.draw.choice(("demonstration", "benchmark"))
    expense = asker.draw.randint(100, 3_000) * 10_000 * _YUAN
    details = {
        "class": kind,
        "field": asker.draw.choice(("sanitation", "emergency", "healthcare")),
        "owner": "场景业主",
    }
    seller = company(asker.seed, asker.company.index + _APART // 2).uscc
    return Wish(
        "scenario-subsidy", _request(expense, details), (_claim(invoices=[_invoice(asker, seller, expense, "s")]),)
    )


def _robotics(asker: _Asker) -> Wish:
    sums = [asker.draw.randint(50, 900) * 10_000 * _YUAN for _ in range(asker.draw.randint(1, 3))]
    stones = [
        {"id": f"m{place}", "title": f"节点{place}", "money": bodies.money(amount)}
        for place, amount in enumerate(sums, start=1)
    ]
    details = {"topic": asker.draw.choice(("key-technology", "data-set", "manufacturing")), "milestones": stones}
    return Wish("humanoid-robotics", _request(sum(sums), details), (_claim(milestone="m1"),))


def _competition(asker: _Asker) -> Wish:
    partners = [(asker.company.uscc, "leader"), (code_of(asker.seed, asker.company.index + 1), "start_up")]
    partners.append((code_of(asker.seed, asker.company.index + 2), "institute"))
    amount = asker.draw.randint(500, 4_000) * 10_000 * _YUAN
    details = {
        "consortium": [
            {"uscc": uscc, "name": f"成员{place}", "role": role} for place, (uscc, role) in enumerate(partners)
        ],
        "milestones": [{"id": "m1", "money": bodies.money(amount // 2)}],
    }
    return Wish("open-competition", _request(amount, details), (_claim(milestone="m1"),))


def _startup(asker: _Asker) -> Wish:
    details = {"community": asker.draw.choice(asker.communities)}
    month = {
        "starts_on": asker.today.replace(day=1).isoformat(),
        "ends_on": asker.today.replace(day=monthrange(asker.today.year, asker.today.month)[1]).isoformat(),
        "statement": None,
    }
    claims = (
        _claim(milestone="start"),
        _claim(milestone="workspace", usage=month),
        _claim(milestone="housing", usage=month),
    )
    return Wish("opc-startup", _request(110_000 * _YUAN, details), claims)


def _investment(scheme: str) -> Callable[[_Asker], Wish]:
    def wish(asker: _Asker) -> Wish:
        asked = asker.draw.randint(500, 8_000) * 10_000 * _YUAN
        details = {
            "stage": asker.draw.choice(("seed", "early", "growth")),
            "due_diligence": "技术、团队与财务尽职调查无重大问题。",
        }
        call = _claim(details={"money": bodies.money(asked // 3)})
        return Wish(scheme, _request(asked, details), (call,))

    return wish


def _community(asker: _Asker) -> Wish:
    area = asker.draw.randint(10_000, 60_000)
    details = {"area_m2": area, "address": f"{asker.company.district}示例路{asker.draw.randint(1, 200)}号"}
    return Wish(COMMUNITY_SCHEME, {"money": None, "contract": None, "details": details})


def _request(amount: int, details: dict[str, Any]) -> dict[str, Any]:
    return {"money": bodies.money(amount), "contract": None, "details": details}


def _claim(**what: Any) -> dict[str, Any]:
    return {"invoices": [], "usage": None, "milestone": None, "documents": [], "details": {}, **what}


def _invoice(asker: _Asker, seller: str, net: int, name: str) -> dict[str, Any]:
    tax = net * 6 // 100
    return {
        "number": asker.number(name),
        "seller": seller,
        "issued_on": asker.today.isoformat(),
        "money": bodies.money(net + tax),
        "tax": bodies.money(tax),
    }


def _anybody(_: Company) -> bool:
    return True


def _is_one_person(one: Company) -> bool:
    return one.opc


def _is_where_communities_are(one: Company) -> bool:
    return one.district in _PLACES


_COMMUNITIES: Final = _Wanted(COMMUNITY_SCHEME, 6, _is_where_communities_are, _community)
_COMPETITORS: Final = _Wanted("open-competition", 5, _anybody, _competition)
_OTHERS: Final = (
    _Wanted("model-voucher", 12, _anybody, _voucher("model-voucher")),
    _Wanted("corpus-voucher", 8, _anybody, _voucher("corpus-voucher")),
    _Wanted("scenario-subsidy", 10, _anybody, _scenario),
    _Wanted("humanoid-robotics", 8, _anybody, _robotics),
    _Wanted("opc-startup", 10, _is_one_person, _startup),
    _Wanted("robotics-fund-investment", 6, _anybody, _investment("robotics-fund-investment")),
    _Wanted("terminal-fund-investment", 6, _anybody, _investment("terminal-fund-investment")),
)
_PLACE: Final = {wanted.scheme: place for place, wanted in enumerate((_COMMUNITIES, *_OTHERS, _COMPETITORS))}
