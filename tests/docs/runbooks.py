"""You are where the runbooks' commands are tried: what each page says to look at, on a system with something to see.

    ```sh        is run as it stands, by one bash for a page, after the preamble of docs/runbooks/README.md
    ```sh acts   changes something that has to be wrong before (a parked event, a broken row): only read as bash
    ```sh drill  is done by the restore drill (`make restore-drill`), which the test in tests/journeys plays

A command that looks may find nothing: `grep` then ends with 1. It is at fault when it ends with more, when the shell
does not know it, or when it complains.
"""

import re
import subprocess
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

RUNBOOKS: Final = Path(__file__).parents[2] / "docs" / "runbooks"
LOOKS, ACTS, DRILL = "", "acts", "drill"
KINDS: Final = (LOOKS, ACTS, DRILL)
_FENCE: Final = re.compile(r"^( *)```sh ?([^\n]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_COMPLAINTS: Final = re.compile(
    r"^(?:bash|\S*: line \d+|drawdown|psql|curl)[: ].*|.*\bERROR: .*|.*Traceback .*|.*command not found.*", re.MULTILINE
)
_PREAMBLE: Final = """\
set -uo pipefail
trap 'code=$?; [ $code -le 1 ] || echo "ended with $code: $BASH_COMMAND" >&2' ERR
set -E
"""


@dataclass(frozen=True)
class Block:
    """A fence of a page with commands."""

    line: int
    kind: str
    commands: str


def pages() -> list[str]:
    """The names of all pages but the first, which is the preamble."""
    return sorted(path.name for path in RUNBOOKS.glob("*.md") if path.name != "README.md")


def blocks(name: str) -> list[Block]:
    """A page's fences with commands, in their order."""
    return list(_blocks((RUNBOOKS / name).read_text("utf-8")))


def _blocks(page: str) -> Iterator[Block]:
    for found in _FENCE.finditer(page):
        yield Block(page.count("\n", 0, found.start()) + 1, found[2].strip(), textwrap.dedent(found[3]))


def faults(name: str, folder: Path, environment: Mapping[str, str]) -> list[str]:
    """Do what the page says to look at; answers what did not work. The home is the environment's, not the page's."""
    [setting_up] = blocks("README.md")
    mine = re.sub(r"^export DRAWDOWN_HOME=.*$", "", setting_up.commands, flags=re.MULTILINE)
    looks = "\n".join(f"# line {block.line}\n{block.commands}" for block in blocks(name) if block.kind == LOOKS)
    script = folder / "page.sh"
    script.write_text(f"{_PREAMBLE}{mine}\n{looks}", "utf-8")
    done = subprocess.run(
        ["bash", "--norc", script], cwd=folder, env=dict(environment), capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL, timeout=300,
    )  # fmt: skip
    found = [line for line in done.stderr.splitlines() if line.startswith("ended with ") or _COMPLAINTS.match(line)]
    return found + [found_[0] for found_ in _COMPLAINTS.finditer(done.stdout)]


def unreadable(block: Block) -> str:
    """What bash says against the commands before it runs any; nothing where it can read them."""
    done = subprocess.run(["bash", "-n"], input=block.commands, capture_output=True, text=True, check=False)
    return done.stderr
