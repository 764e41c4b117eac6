"""Alembic's entry: migrate intake's database."""

import intake.push.tables  # noqa: F401  # so that they are known
from intake.tables import metadata
from kit.migrations import run

run(metadata)
