"""Alembic's entry: migrate intake's database."""

from intake.tables import metadata
from kit.migrations import run

run(metadata)
