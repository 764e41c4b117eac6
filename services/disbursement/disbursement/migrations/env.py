"""Alembic's entry: migrate disbursement's database."""

from disbursement.tables import metadata
from kit.migrations import run

run(metadata)
