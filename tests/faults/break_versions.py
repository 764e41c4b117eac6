"""You are where the system is upgraded under load: an older version runs, and gives way process by process.

F16: the older version is a commit of this repository, taken out with git into the run's directory. The run begins with
it, database and all. Then the databases are migrated while it works, each service's second process becomes the new
version and works beside the old one for a while, and at last the first ones follow.
"""

import asyncio
from dataclasses import replace
from typing import Any, Final

from stack.grants import SERVICES
from stack.migrate import migrate
from tests.faults.older import FROM, OLDER, POLICIES
from tests.faults.sabotage import NotHappenedError, Saboteur

NAME: Final = "upgrade in the middle"
_SIDE_BY_SIDE_SECONDS: Final = 12.0
_REVISION: Final = "SELECT version_num FROM alembic_version"


async def upgrade(by: Saboteur) -> str:
    """F16: migrate under load, let both versions work side by side, then leave the old one."""
    path = by.system.older
    if path is None:
        raise NotHappenedError("the run did not begin with an older version")
    before = await _revisions(by)
    for app in by.system.stack._services:
        if app.migration is not None:
            await migrate(replace(app.migration, env=_newer(app.migration.env, path)))
    after = await _revisions(by)
    old = [name for name in by.system.services if _is_old(by, name, path)]
    second = [name for name in by.system.services if name.endswith("-2")]
    for name in second:
        await _become_new(by, name, path)
    await asyncio.sleep(_SIDE_BY_SIDE_SECONDS)
    for name in set(by.system.services) - set(second):
        await _become_new(by, name, path)
    left = [name for name in by.system.services if _is_old(by, name, path)]
    if left or len(old) != len(by.system.services):
        raise NotHappenedError(f"{len(old)} processes were of the older version, {left} still are")
    changed = {service: (before[service], after[service]) for service in SERVICES if before[service] != after[service]}
    moved = ", ".join(f"{service} {one} to {other}" for service, (one, other) in changed.items())
    return f"{len(old)} processes were {FROM[:12]} and are not; migrated under load: {moved or 'nothing'}"


async def _become_new(by: Saboteur, name: str, path: str) -> None:
    async with by.system.busy[name]:
        child = by.system.stack.components[name].child
        child.command = replace(child.command, env=_newer(child.command.env, path))
        await by.system.stack.restart(name)


def _newer(environment: Any, path: str) -> dict[str, str]:
    """Today's code, and with it today's policy documents. It seals nothing yet: the old code could not read it."""
    beside = {f"{service.upper()}_SEAL": "false" for service in SERVICES}
    newer = {**environment, **beside, "PYTHONPATH": environment["PYTHONPATH"].removeprefix(f"{path}:")}
    if POLICIES in newer:
        newer[POLICIES] = newer[POLICIES].removesuffix(OLDER)
    return newer


def _is_old(by: Saboteur, name: str, path: str) -> bool:
    return bool(by.system.process(name).environ().get("PYTHONPATH", "").startswith(path))


async def _revisions(by: Saboteur) -> dict[str, str]:
    return {service: (await by.system.fetch(service, _REVISION))[0]["version_num"] for service in SERVICES}
