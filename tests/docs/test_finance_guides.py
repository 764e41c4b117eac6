"""The pages for finance: whoever is the finance system, as they say, pays what they show, once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stack.supervisor import Stack
from tests.docs.conftest import follow, started

# As the page has it started: the simulated finance system says nothing, so that the reader is one.
SILENT = {"SIM_LOST": "1", "SIM_DUPLICATES": "0", "SIM_RETURNED": "0", "SIM_CANCELLED": "0"}


@pytest.fixture(scope="module")
async def system() -> AsyncIterator[Stack]:
    async with started(SILENT) as stack:
        yield stack


async def test_payments_are_consumed_as_the_page_says(system: Stack, tmp_path: Path) -> None:
    await follow("consume-payments.md", system, tmp_path)
