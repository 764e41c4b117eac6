"""The page over HTTP on real PostgreSQL: public, exact, cached by its content, honest while the database is away."""

import asyncio
import re
from typing import Any

import httpx
import pytest

from contracts.events import Event
from kit.database import Database
from kit.lag import Lag
from metrics.handlers import Handlers
from metrics.page.freshness import Watch
from stack.ports import free_ports
from tests.kit.conftest import eventually
from tests.metrics.conftest import client_of
from tests.metrics.story import POOL, START, Case, Ledger, messages, one_paid_case, policy

MONTH = 60 * 24 * 31
SMALL, LARGE = "dapeng", "nanshan"


def company(number: int) -> str:
    return f"9144030000000{number:05d}"


def season() -> list[Event]:
    """Six companies of Nanshan in March, six of Futian in April, one of Dapeng in both, each paid another sum."""
    ledger = Ledger()
    events: list[Event] = [policy(), ledger.open()]
    for number in range(6):
        events += one_paid_case(
            ledger, Case(number, applicant=company(number), district=LARGE), minutes=number, paid=1_000_001 + number
        )
    for number in range(10, 16):
        case = Case(number, applicant=company(number), district="futian")
        events += one_paid_case(ledger, case, minutes=MONTH + number, paid=70_000_003 + number)
    for number, minutes in ((20, 50), (21, MONTH + 50)):
        case = Case(number, applicant=company(20), district=SMALL)
        events += one_paid_case(ledger, case, minutes=minutes, paid=500_000_07)
    return events


async def told(database: Database, handlers: Handlers, events: list[Event]) -> None:
    async with database.transaction() as connection:
        await handlers.handle(connection, list(messages(events)), START)


def paid(page: str) -> int:
    """The headline: what all pools have paid, in fen."""
    found = re.search(r'class="headline".*?<data class="money" value="(-?\d+)"', page, re.DOTALL)
    assert found is not None
    return int(found[1])


@pytest.fixture
async def page(client: httpx.AsyncClient, database: Database, handlers: Handlers) -> httpx.AsyncClient:
    await told(database, handlers, season())
    return client


ALL_PAID = sum(1_000_001 + n for n in range(6)) + sum(70_000_003 + n for n in range(10, 16)) + 2 * 500_000_07


async def test_the_page_needs_no_token_and_shows_what_was_paid_to_the_fen(page: httpx.AsyncClient) -> None:
    answer = await page.get("/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert paid(answer.text) == ALL_PAID
    assert "训力券" in answer.text


@pytest.mark.parametrize(
    ("path", "accepted", "language"),
    [
        ("/", None, "zh-CN"),
        ("/", "en-GB,en;q=0.9,zh;q=0.1", "en"),
        ("/", "zh-TW", "zh-CN"),
        ("/?lang=en", "zh-CN", "en"),
        ("/?lang=zh-CN", "en", "zh-CN"),
        ("/?lang=fr", "en", "en"),
    ],
)
async def test_the_language_is_the_address_s_or_the_reader_s(
    page: httpx.AsyncClient, path: str, accepted: str | None, language: str
) -> None:
    answer = await page.get(path, headers={"accept-language": accepted} if accepted else {})
    assert answer.headers["content-language"] == language
    assert f'<html lang="{language}">' in answer.text
    assert answer.headers["vary"] == "Accept-Language"


async def test_monitors_may_ask_for_the_head_alone(page: httpx.AsyncClient) -> None:
    answer = await page.head("/")
    assert (answer.status_code, answer.headers["content-language"]) == (200, "zh-CN")


async def test_nothing_may_be_loaded_from_elsewhere_and_nobody_may_frame_it(page: httpx.AsyncClient) -> None:
    policy = (await page.get("/")).headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules.pop("default-src") == rules.pop("frame-ancestors") == rules.pop("base-uri") == "'none'"
    assert rules.pop("form-action") == "'none'"
    assert rules == {f"{kind}-src": "'self'" for kind in ("script", "style", "img", "connect")}


@pytest.mark.parametrize("by", ["district", "month"])
async def test_districts_and_months_add_up_to_what_the_pool_has_paid(page: httpx.AsyncClient, by: str) -> None:
    [pool] = (await page.get("/v1/pools")).json()["items"]
    found = (await page.get(f"/v1/pools/{POOL}/drawdown", params={"by": by})).json()
    assert pool["disbursed"]["amount"] == ALL_PAID
    assert sum(item["disbursed"]["amount"] for item in found["items"]) == ALL_PAID
    left = pool["appropriated"]["amount"] - pool["available"]["amount"]
    assert sum(item["promised"]["amount"] for item in found["items"]) == left


async def test_the_district_of_one_company_is_shown_nowhere(page: httpx.AsyncClient) -> None:
    found = (await page.get(f"/v1/pools/{POOL}/drawdown", params={"by": "district"})).json()
    assert [item["key"] for item in found["items"]] == ["nanshan", "other"]
    assert found["withheld"] == 2
    text = (await page.get("/?lang=en")).text
    assert "Dapeng" not in text
    assert "Futian" not in text  # or Dapeng could be worked out
    assert "100,000.14" not in text


async def test_a_company_that_is_heard_of_later_is_not_counted_before(
    client: httpx.AsyncClient, database: Database, handlers: Handlers
) -> None:
    """The ledger may be read before the applications: until they are, nobody is known to be behind a sum."""
    events = season()
    transfers = [event for event in events if event.TYPE == "transfer.posted"]
    await told(database, handlers, transfers)
    early = (await client.get(f"/v1/pools/{POOL}/drawdown", params={"by": "district"})).json()
    assert [item["key"] for item in early["items"]] == ["other"]
    await told(database, handlers, [event for event in events if event.TYPE != "transfer.posted"])
    late = (await client.get(f"/v1/pools/{POOL}/drawdown", params={"by": "district"})).json()
    assert [item["key"] for item in late["items"]] == ["nanshan", "other"]


async def test_the_funnel_counts_how_far_applications_came(
    client: httpx.AsyncClient, database: Database, handlers: Handlers
) -> None:
    decided, asked = Case(2), Case(3)
    events = [*one_paid_case(Ledger(), Case(1)), asked.submitted(), decided.submitted(), decided.rejected()]
    claimed = Case(4)
    events += [claimed.claimed(), claimed.awarded()]  # and its submission is still on the way
    await told(database, handlers, events)
    text = (await client.get("/?lang=en")).text
    steps = re.findall(r'<th [^>]*>(\w+)<svg.*?</th><td [^>]*class="amount strong">(\d+)</td>', text, re.DOTALL)
    assert steps == [("Submitted", "4"), ("Decided", "3"), ("Awarded", "2"), ("Claimed", "2"), ("Paid", "1")]


@pytest.mark.parametrize("form", ["{}", '"other", {}', "*"])
async def test_a_page_that_has_not_changed_is_not_sent_again(page: httpx.AsyncClient, form: str) -> None:
    while True:
        first = await page.get("/?lang=en")
        tag = first.headers["etag"]
        again = await page.get("/?lang=en", headers={"if-none-match": form.format(tag)})
        if again.headers["etag"] == tag:
            break  # otherwise a new minute has begun between the two, and with it a new page
    assert (again.status_code, again.content) == (304, b"")
    for name in ("cache-control", "content-security-policy", "vary"):
        assert again.headers[name] == first.headers[name]
    assert again.headers["cache-control"] == "public, max-age=2"
    assert (await page.get("/?lang=zh-CN", headers={"if-none-match": tag})).status_code == 200


async def test_ten_million_yuan_more_are_on_the_page_within_seconds(database: Database, handlers: Handlers) -> None:
    ledger = Ledger()
    await told(database, handlers, [policy(), ledger.open(), *one_paid_case(ledger, Case(1))])
    async with client_of(database) as client:
        before = await client.get("/?lang=en")
        await told(database, handlers, one_paid_case(ledger, Case(2), minutes=9, paid=1_000_000_000))

        async def more() -> bool:
            after = await client.get("/?lang=en", headers={"if-none-match": before.headers["etag"]})
            return after.status_code == 200 and paid(after.text) - paid(before.text) == 1_000_000_000

        await eventually(more)


@pytest.mark.parametrize(
    ("name", "kind"), [("page.css", "text/css"), ("page.js", "text/javascript"), ("icon.svg", "image/svg+xml")]
)
@pytest.mark.usefixtures("database")
async def test_its_files_are_kept_for_ever_under_the_name_that_the_page_gives(
    client: httpx.AsyncClient, name: str, kind: str
) -> None:
    text = (await client.get("/")).text
    [place] = re.findall(rf'"(/page/{re.escape(name)}\?v=\w+)"', text)
    answer = await client.get(place)
    assert answer.headers["content-type"].split(";")[0] == kind
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    other = await client.get(f"/page/{name}?v=old", headers={"if-none-match": answer.headers["etag"]})
    assert (other.status_code, other.headers["cache-control"]) == (304, "no-cache")


@pytest.mark.parametrize("name", ["status.html.j2", "..%2fwords.toml", "nothing.css"])
async def test_no_other_file_is_handed_out(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.get(f"/page/{name}")
    assert answer.status_code == 404


async def test_before_the_first_figure_without_a_database_the_page_says_that_it_can_t_say() -> None:
    [nobody_listens] = free_ports(1)
    database = Database(f"postgresql://metrics:x@127.0.0.1:{nobody_listens}/metrics")
    async with client_of(database) as client:
        answer = await client.get("/?lang=en")
    await database.close()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.headers["cache-control"] == "no-store"
    assert "There are no figures to show right now" in answer.text
    assert "content-security-policy" in answer.headers


async def test_events_that_wait_are_said_aloud(database: Database, handlers: Handlers) -> None:
    await told(database, handlers, season())

    async def waiting() -> list[Lag]:
        return [Lag("disbursement.ledger", 0, 5, 12, 7)]

    watch = Watch(waiting)
    async with client_of(database, watch) as client:
        assert "cannot tell right now" in (await client.get("/?lang=en")).text  # nobody has looked yet
        watch.note(await waiting(), asyncio.get_running_loop().time())
        text = (await client.get("/?lang=en")).text
    assert "7 events are not counted yet" in text
    assert "Everything on record is counted" not in text


async def test_no_company_application_or_account_is_on_the_page(page: httpx.AsyncClient) -> None:
    text = (await page.get("/")).text
    forbidden: list[Any] = [company(1), Case(1).application_id, Case(1).award_id, "明联", "4544166170432145837"]
    assert [each for each in forbidden if str(each) in text] == []
