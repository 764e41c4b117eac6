"""The pages for the portal's developers and for whoever tries the system: who types what they say, gets it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stack.supervisor import Stack
from tests.docs.conftest import follow, started


@pytest.fixture(scope="module")
async def system() -> AsyncIterator[Stack]:
    async with started({"SIM_RETURNED": "0"}) as stack:  # which payment is sent back is chance
        yield stack


@pytest.mark.parametrize(
    "page", ["integrate-a-portal.md", "get-a-token.md", "try-by-hand.md", "../tutorial/first-day.md"]
)
async def test_the_commands_of_a_page_do_what_it_shows(page: str, system: Stack, tmp_path: Path) -> None:
    await follow(page, system, tmp_path)
