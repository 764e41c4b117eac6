"""The page as its readers have it: the real service on real Kafka and PostgreSQL, in Chromium, from 320 pixels up."""

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page
from sqlalchemy import text

from contracts.events import Event
from contracts.topics import topics_with
from kit.database import Database
from metrics import tables
from metrics.handlers import SUBSCRIPTIONS
from stack.kafka import Kafka
from stack.ports import free_ports
from stack.postgres import Postgres
from tests.kit import broker
from tests.kit.conftest import eventually
from tests.kit.processes import Process
from tests.metrics import browser as chromium
from tests.metrics.conftest import DELIVERY_TABLES, PROGRAMME_FILE
from tests.metrics.season import Season

PATIENCE_SECONDS = 60.0
MORE = 1_000_000_000  # ten million yuan
FOCUS = """() => {
  const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
  if (at === document.body) return null;
  const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  const name = at.id || at.hreflang || at.getAttribute("href") || at.localName;
  return { name, seen: outlined && box.width > 0 && box.top >= 0 };
}"""
HEADLINE = "document.querySelector('.headline data').value"
TRUST = "document.getElementById('trust').textContent"


class Programme:
    """The season on Kafka, a service that counts it, and what others need to look at the same."""

    def __init__(self, bootstrap: str, settings: dict[str, str]) -> None:
        self.bootstrap = bootstrap
        self.settings = settings
        self.season = Season(salt=uuid4().int % 2**64)
        self.url = ""

    async def tell(self, events: Sequence[Event]) -> None:
        await broker.send(self.bootstrap, [broker.record_of(event) for event in events])


def metrics(settings: dict[str, str], **more: str) -> Process:
    return Process("METRICS", ["metrics", "run"], settings | more)


async def ready(process: Process, path: str = "/health/ready") -> None:
    await eventually(partial(process.answers, path), PATIENCE_SECONDS)


@pytest.fixture(scope="module")
async def programme(postgres: Postgres, kafka: Kafka, _migrated: None) -> AsyncIterator[Programme]:
    chromium.chromium()
    group = f"page-{uuid4().hex[:8]}"
    database = Database(postgres.dsn("metrics"), pool_size=2, name="test")
    async with database.transaction() as connection:
        for table in ("inbox", "consumer_offset", "parked", *sorted(tables.metadata.tables.keys() - DELIVERY_TABLES)):
            await connection.execute(text(f"DELETE FROM {table}"))
    await broker.start_at(database, group, await broker.ends_of(kafka.bootstrap, topics_with(SUBSCRIPTIONS)))
    await database.close()
    settings = {
        "DATABASE_URL": postgres.dsn("metrics"),
        "KAFKA_BOOTSTRAP": kafka.bootstrap,
        "CONSUMER_GROUP": group,
        "PROGRAMME_FILE": str(PROGRAMME_FILE),
    }
    found = Programme(kafka.bootstrap, settings)
    await found.tell(list(found.season.events()))
    with metrics(settings) as process:
        await ready(process)
        found.url = process.url

        async def counted() -> bool:
            return "Everything on record is counted." in (await process.get("/?lang=en")).text

        await eventually(counted, PATIENCE_SECONDS)
        yield found


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium.running() as found:
        yield found


def size(width: int) -> dict[str, Any]:
    return {"viewport": {"width": width, "height": 900}}


async def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    found: int = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return found


async def until(page: Page, expression: str, wanted: str) -> None:
    """Wait until it has this in it. (Playwright's own way to wait is what the page's policy forbids.)"""

    async def holds() -> bool:
        return wanted in str(await page.evaluate(expression))

    await eventually(holds, PATIENCE_SECONDS)


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["zh-CN", "en"])
async def test_axe_finds_nothing_against_the_page(
    programme: Programme, browser: Browser, language: str, scheme: str, width: int
) -> None:
    how = size(width) | {"color_scheme": scheme}
    async with chromium.reading(browser, f"{programme.url}/?lang={language}", **how) as page:
        await page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        found = await Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert len(found.response["passes"]) > 20, "axe has looked at nothing"


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("width", [320, 400, 768, 1024, 1600])
@pytest.mark.parametrize("language", ["zh-CN", "en"])
async def test_nobody_has_to_scroll_sideways(
    programme: Programme, browser: Browser, language: str, width: int, *, exact: bool
) -> None:
    async with chromium.reading(browser, f"{programme.url}/?lang={language}", **size(width)) as page:
        await page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        if exact:
            await page.check("#exact")
        assert await overflow(page) <= 0


async def test_ten_million_yuan_more_show_without_loading_the_page_again(
    programme: Programme, browser: Browser
) -> None:
    async with chromium.reading(browser, f"{programme.url}/?lang=en") as page:
        await page.evaluate("window.stayed = 'here'; document.querySelector('details').open = true")
        await page.focus("#pause")
        before = int(await page.evaluate(HEADLINE))
        await programme.tell(programme.season.more(MORE))
        await until(page, HEADLINE, str(before + MORE))

        assert await page.evaluate("window.stayed") == "here"
        assert await page.evaluate("document.querySelector('details').open") is True
        assert await page.evaluate("document.activeElement.id") == "pause"
        assert "The figures have changed" in await page.inner_text("#said")
        rounded = await page.inner_text(".headline strong .rounded")
        assert rounded in await page.inner_text("#said")


async def test_what_the_script_shows_is_what_the_server_draws(programme: Programme, browser: Browser) -> None:
    def figures(page: Page) -> Any:
        return page.evaluate("[...document.querySelectorAll('data.money')].map((each) => each.value)")

    url = f"{programme.url}/?lang=en"
    async with chromium.reading(browser, url) as page:
        before = int(await page.evaluate(HEADLINE))
        await programme.tell(programme.season.more(MORE))
        await until(page, HEADLINE, str(before + MORE))
        live = await figures(page)
    async with chromium.reading(browser, url, java_script_enabled=False) as page:
        assert await figures(page) == live
        assert await page.locator(".doubt").count() == 0
        assert await page.is_hidden("#pause")
        assert "Load the page again for the newest figures." in await page.inner_text("main")


async def test_updates_can_be_paused_and_go_on_at_once(programme: Programme, browser: Browser) -> None:
    async with chromium.reading(browser, f"{programme.url}/?lang=en") as page:
        await page.click("#pause")
        assert await page.inner_text("#live") == "Updates are paused"
        assert await page.inner_text("#pause") == "Resume updates"
        async with page.expect_response(f"{programme.url}/?lang=en") as answered:
            await page.click("#pause")
        assert (await answered.value).status in (200, 304)
        assert await page.inner_text("#live") == "Updates every 5 seconds"


async def test_all_of_it_can_be_reached_by_keyboard(programme: Programme, browser: Browser) -> None:
    async with chromium.reading(browser, f"{programme.url}/?lang=en", **size(1400)) as page:
        walked = []
        for _ in range(40):
            await page.keyboard.press("Tab")
            focus = await page.evaluate(FOCUS)
            if focus is None:
                break
            walked.append(focus)
        names = [each["name"] for each in walked]
        assert names[:5] == ["#main", "zh-CN", "en", "exact", "pause"]
        assert names[-2:] == ["/v1/pools", "/v1/targets"]
        assert set(names[5:-2]) == {"summary"}  # the months in figures
        assert [each["name"] for each in walked if not each["seen"]] == []


async def test_the_skip_link_leads_past_the_head(programme: Programme, browser: Browser) -> None:
    async with chromium.reading(browser, f"{programme.url}/?lang=en") as page:
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "main"


async def test_exact_amounts_are_a_key_away(programme: Programme, browser: Browser) -> None:
    async with chromium.reading(browser, f"{programme.url}/?lang=en") as page:
        fen = int(await page.evaluate(HEADLINE))
        assert "illion" in await page.inner_text(".headline strong")
        await page.focus("#exact")
        await page.keyboard.press("Space")
        assert await page.inner_text(".headline strong") == f"CNY {fen // 100:,}.{fen % 100:02d}"


async def test_the_switch_of_languages_stays_in_the_address(programme: Programme, browser: Browser) -> None:
    async with chromium.reading(browser, f"{programme.url}/", locale="zh-CN") as page:
        assert await page.inner_text("h1") == "资金使用情况"
        await page.click("a[hreflang=en]")
        assert page.url.endswith("/?lang=en")
        assert await page.inner_text("h1") == "Where the money is"
        assert await page.get_attribute("a[hreflang=en]", "aria-current") == "true"


@pytest.mark.parametrize(("motion", "animation"), [("reduce", "none"), ("no-preference", "changed")])
async def test_who_wants_less_motion_gets_none(
    programme: Programme, browser: Browser, motion: str, animation: str
) -> None:
    async with chromium.reading(browser, f"{programme.url}/", reduced_motion=motion) as page:
        seen = "(each => { each.classList.add('changed'); return getComputedStyle(each).animationName })"
        assert await page.evaluate(f"{seen}(document.querySelector('data.money'))") == animation


async def test_on_paper_there_are_figures_and_no_buttons(programme: Programme, browser: Browser) -> None:
    async with chromium.reading(browser, f"{programme.url}/?lang=en") as page:
        await page.emulate_media(media="print")
        assert await page.is_hidden("#pause")
        assert await page.is_hidden("nav")
        assert await page.is_visible(".headline strong")
        assert (await page.pdf(format="A4")).startswith(b"%PDF")


async def test_figures_that_are_behind_are_called_so_and_a_lost_connection_too(
    programme: Programme, browser: Browser
) -> None:
    """A process that only answers calls: nobody counts for its group, so what is told meanwhile waits."""
    group = {"CONSUMER_GROUP": f"page-{uuid4().hex[:8]}", "ROLES": '["http"]'}
    with metrics(programme.settings, **group) as process:
        await ready(process)
        async with chromium.reading(browser, f"{process.url}/?lang=en") as page:
            await page.wait_for_selector("#news.alarmed", timeout=PATIENCE_SECONDS * 1000)
            await until(page, TRUST, "events are not counted yet")
            found = await Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
            process.child.kill()
            await until(page, TRUST, "The connection is lost")
            assert int(await page.evaluate(HEADLINE)) > 0


async def test_without_kafka_the_page_does_not_claim_to_be_current(programme: Programme, browser: Browser) -> None:
    [nobody_listens] = free_ports(1)
    away = {"KAFKA_BOOTSTRAP": f"127.0.0.1:{nobody_listens}", "ROLES": '["http"]'}
    with metrics(programme.settings, **away) as process:
        await ready(process)
        async with chromium.reading(browser, f"{process.url}/?lang=en") as page:
            assert "cannot tell right now" in await page.inner_text("#trust")
            assert "Everything on record" not in await page.inner_text("main")
