"""Debian's Chromium, without a window, driven by Playwright: pages as readers have them."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

INSTALL: Final = (
    "chromium is not there: `apt-get install chromium fonts-noto-cjk` (Debian, Ubuntu: or any Chromium in PATH)"
)


def chromium() -> str:
    """Return the program, or skip the test and say how to get it."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip(INSTALL)
    return found


@asynccontextmanager
async def running() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        # Containers have no user namespaces for its sandbox; it sees nothing but the page of this test.
        browser = await playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield browser
        await browser.close()


@asynccontextmanager
async def reading(browser: Browser, url: str, **how: Any) -> AsyncIterator[Page]:
    """Open a page as a reader who is told of everything that the browser complains of: AssertionError at the end."""
    context: BrowserContext = await browser.new_context(**how)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if _matters(said.type, said.text) else None)
    try:
        await page.goto(url)
        yield page
        assert complaints == []
    finally:
        await context.close()


def _matters(kind: str, text: str) -> bool:
    """A connection that is lost is what some tests are about; the page says so itself."""
    return kind in ("error", "warning") and "net::ERR_" not in text
