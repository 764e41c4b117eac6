"""Runs of schemathesis: one for each service and scope, over the calls that the scope may make; and a stranger's."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
# 0: nothing was found; 1: something was; anything else: it could not run.
_CASES: Final = re.compile(r"Test cases:\s+([\d,]+) generated")
STRANGER: Final = "nobody"
MAIN: Final = {"intake": "portal", "eligibility": "officer", "disbursement": "finance", "metrics": STRANGER}
SCOPES: Final = {
    "intake": ("portal", "provider", "officer", "auditor", STRANGER),
    "eligibility": ("officer", "policy-editor", "panel", "auditor", STRANGER),
    "disbursement": ("finance", "auditor", STRANGER),
    "metrics": (STRANGER,),
}


@dataclass(frozen=True)
class Run:
    """One run: as whom, over which calls, how many cases at most for each in the fuzzing and stateful phases."""

    service: str
    scope: str
    operations: Sequence[str]
    examples: int
    phases: str = "examples,coverage,fuzzing,stateful"


@dataclass(frozen=True)
class Outcome:
    """What a run came to: how many cases, whether anything was found, and what schemathesis printed."""

    run: Run
    cases: int
    clean: bool
    output: str


def runs_of(service: str, document: dict[str, Any], examples: int, phases: str) -> Iterator[Run]:
    """Yield the runs over a service: each scope makes the calls that it may, a stranger those that ask for no token
    and, to be refused, those that do.
    """
    for scope in SCOPES[service]:
        wanted = list(_operations(document, scope))
        possible = phases if _linked(document, wanted) else phases.replace(",stateful", "")
        yield Run(service, scope, wanted, examples, possible)


def _operations(document: dict[str, Any], scope: str) -> Iterator[str]:
    for item in document["paths"].values():
        for operation in item.values():
            accepted = [name for demand in operation.get("security", []) for names in demand.values() for name in names]
            if scope in accepted or scope == STRANGER:
                yield operation["operationId"]


def _linked(document: dict[str, Any], wanted: Sequence[str]) -> bool:
    """Whether a call leads to another one: without that there is no walk from state to state."""
    answers = [
        answer
        for item in document["paths"].values()
        for operation in item.values()
        if operation["operationId"] in wanted
        for answer in operation["responses"].values()
    ]
    return any(link["operationId"] in wanted for answer in answers for link in answer.get("links", {}).values())


def carry_out(run: Run, url: str, token: str, seed: int) -> Outcome:
    """Run schemathesis as a program against a running service."""
    arguments = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"), "run"]
    arguments += [f"{url}/openapi.json", "--phases", run.phases, "--max-examples", str(run.examples)]
    arguments += ["--seed", str(seed), "--header", f"Authorization: Bearer {token}", "--no-color"]
    for operation in run.operations:
        arguments += ["--include-operation-id", operation]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.fuzz.hooks", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        arguments, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    counted = _CASES.search(done.stdout)
    return Outcome(run, int(counted[1].replace(",", "")) if counted else 0, done.returncode == 0, done.stdout)
