"""You are where the story is put on the stack that runs, or on one of its own, and shown as it goes."""

import asyncio
import signal
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import httpx

from stack import demo, state
from stack.flags import err, out
from stack.home import Home, home_at
from stack.manners import Manner
from stack.story import show
from stack.story.listener import listening
from stack.story.teller import ANSWER_SECONDS, Teller

OPEN_SECONDS: Final = 60.0
_CALENDAR: Final = ZoneInfo("Asia/Shanghai")


def place(home: Path | None) -> Path | None:
    """The directory that was named, or the usual one where a stack runs in it; None: a fresh one."""
    usual = home_at(home)
    known = state.read(usual)
    return usual.path if home is not None or (known is not None and known.supervisor.is_alive()) else None


async def tell(home: Home, seed: int, *, as_json: bool) -> dict[str, Any]:
    task, today = asyncio.current_task(), datetime.now(_CALENDAR).date()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with (
        demo.place_in(home, seed, Manner.USUAL, err) as here,
        httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False) as client,
        listening(here.kafka_bootstrap) as listener,
    ):
        await demo.until_open(here, OPEN_SECONDS)
        teller, chapters = Teller(here, client, listener, seed, today), []
        async for told in teller.play():
            chapters.append(told)
            if not as_json:
                show.chapter(out, len(chapters), told)
        books = await teller.books()
        if not as_json:
            show.books(out, books)
    return {"application_id": teller.application_id, "chapters": [told.as_json() for told in chapters], **books}
