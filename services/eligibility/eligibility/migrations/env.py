"""Alembic's environment: the connection comes from ``kit.migrations``, the models from ``eligibility.tables``."""

from eligibility.tables import metadata
from kit import migrations

migrations.run(metadata)
