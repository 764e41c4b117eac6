"""`drawdown story` tells what happened: each chapter's events and transfers are this application's, and add up."""

import asyncio
import json
import os
import subprocess
import sys
from typing import Any

import pytest

from stack.story.chapters import CHAPTERS
from stack.supervisor import Stack


async def told(system: Stack, *arguments: str) -> str:
    command = [sys.executable, "-c", "from stack.cli import main; main()", "story", *arguments]
    environment = {**os.environ, "DRAWDOWN_HOME": str(system.config.home.path), "COLUMNS": "100"}
    done = await asyncio.to_thread(
        subprocess.run, command, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
async def story(system: Stack) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await told(system, "--json"))
    return found


def chapter(story: dict[str, Any], title: str) -> dict[str, Any]:
    return next(each for each in story["chapters"] if each["title"] == title)


def test_every_chapter_is_told_with_what_it_waited_for(story: dict[str, Any]) -> None:
    assert [each["title"] for each in story["chapters"]] == [each.title for each in CHAPTERS]
    for told_, script in zip(story["chapters"], CHAPTERS, strict=True):
        seen = {event["type"] for event in told_["events"]}
        seen |= {f"transfer.posted/{transfer['reason']}" for transfer in told_["transfers"]}
        assert set(script.needs) <= seen <= set(script.takes)


def test_the_money_goes_from_one_state_to_the_next(story: dict[str, Any]) -> None:
    moves = [transfer for each in story["chapters"] for transfer in each["transfers"]]
    assert [(move["from"], move["to"], move["fen"]) for move in moves] == [
        ("available", "committed", 60_000_00),
        ("committed", "obligated", 24_000_00),
        ("obligated", "disbursed", 24_000_00),
    ]
    pool = story["pool"]
    states = ("available", "committed", "obligated", "disbursed")
    assert sum(pool[state]["amount"] for state in states) == pool["appropriated"]["amount"]


def test_the_metrics_that_a_chapter_names_moved_and_the_states_are_the_portals(story: dict[str, Any]) -> None:
    for told_, script in zip(story["chapters"], CHAPTERS, strict=True):
        if script.moves:
            assert [name for name in told_["metrics"] if script.moves in name]
    paid = chapter(story, "The bank pays")
    committed, disbursed = (
        next(change for name, change in each["metrics"].items() if f'state="{state}"' in name)
        for each, state in (
            (chapter(story, "Disbursement promises the money"), "committed"),
            (paid, "disbursed"),
        )
    )
    assert committed[1] > committed[0]
    assert disbursed[1] > disbursed[0]
    assert paid["states"] == {"application": "awarded", "award": "active", "claim": "paid", "payment": "settled"}


async def test_a_newcomer_reads_it_and_may_tell_it_again(system: Stack) -> None:
    said = await told(system)
    for script in CHAPTERS:
        assert script.title in said
        for term, means in script.terms.items():
            assert f"{term}: {means}" in said
    assert "available → committed" in said
    assert "the four add up to what was appropriated, to the fen" in said
