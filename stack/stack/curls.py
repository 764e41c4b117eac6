"""You are where `drawdown up` shows how to use by hand what it started: three commands that work when pasted."""

import json
import shlex
import uuid
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from stack.simulators import bodies, population
from stack.simulators.asks import ask


def commands(urls: Mapping[str, str], home: Path, seed: int, today: date) -> list[tuple[str, str]]:
    """What each command does, and the command.

    The applicant is one that the registers know and the simulated portal never uses. The key is fresh each time, so
    that a second paste of the same command is the same application.
    """
    run = uuid.uuid4().hex[:6]  # a contract counts once within a scheme: each start shows another one
    body = bodies.application(ask(seed, population.example(seed), today, run), submit=True)
    token = f".venv/bin/drawdown token --home {shlex.quote(str(home))} --scope portal"
    apply = (
        f"curl -sS -X POST {urls['intake']}/v1/applications -H 'Content-Type: application/json'"
        f" -H 'Idempotency-Key: {uuid.uuid4()}' -H \"Authorization: Bearer $({token})\""
        f" -d {shlex.quote(json.dumps(body, ensure_ascii=False))}"
    )
    return [
        ("the schemes that are open", f"curl -sS {urls['intake']}/v1/schemes"),
        ("apply for a compute voucher", apply),
        ("how far the pools are drawn down", f"curl -sS {urls['metrics']}/v1/pools"),
    ]
