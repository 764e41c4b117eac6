"""You are where a service's database gets its present shape: `python -m <service> migrate`, run to its end."""

import asyncio

from stack.errors import StackError
from stack.logs import last_words
from stack.processes import Child, Command
from stack.watch import ending

DEADLINE_SECONDS = 120.0
POLL_SECONDS = 0.05


async def migrate(command: Command) -> None:
    """Raises StackError with the migration's last words when it fails or takes too long."""
    child = Child(command)
    child.start()
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while child.alive:  # noqa: ASYNC110  # a process id has no event to wait for
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError as error:
        raise StackError(f"{command.name} takes longer than {DEADLINE_SECONDS:.0f} s: see {command.log}") from error
    finally:
        await child.stop()
    if child.exit_code:
        raise StackError(f"{command.name} ended {ending(child.exit_code)}: {last_words(command.log)}")
