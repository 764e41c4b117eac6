"""The page on traces: who types what it says gets it, and the collector has the trace that the page names."""

from pathlib import Path

from tests.docs.conftest import follow, started
from tests.kit.collector import Collector

PAGE = "trace-an-application.md"


async def test_the_commands_of_the_page_do_what_it_shows(tmp_path: Path) -> None:
    with Collector() as collector:
        async with started(collector.environment) as stack:
            await follow(PAGE, stack, tmp_path)
        spans = collector.trace("4bf92f3577b34da6a3ce929d0e0e4736")
    assert {"intake", "eligibility", "disbursement", "metrics"} == {span.service for span in spans}
