"""Alembic's entry: migrate metrics' database."""

from kit.migrations import run
from metrics.tables import metadata

run(metadata)
