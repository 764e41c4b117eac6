"""`python -m <service> run | migrate | openapi`: the three things that one can do with a service."""

import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from kit import logging, migrations
from kit.database import describe
from kit.service import run_process
from kit.settings import Settings, complain, load_settings, refuse_to_start

USAGE = "usage: python -m {service} run | migrate | openapi"


def main(
    service: str,
    settings_kind: type[Settings],
    run: Callable[[Settings], Awaitable[None]],
    openapi: Callable[[], dict[str, Any]],
) -> None:
    """Be the entry point of a service's package."""
    match sys.argv[1:]:
        case ["run"]:
            settings = load_settings(settings_kind)
            logging.configure(service, log_format=settings.log_format, level=settings.log_level)
            run_process(lambda: run(settings))
        case ["migrate"]:
            _migrate(service, load_settings(settings_kind).migration_database_url)
        case ["openapi"]:
            sys.stdout.write(json.dumps(openapi(), ensure_ascii=False, indent=2) + "\n")
        case _:
            complain(USAGE.format(service=service))
            sys.exit(2)


def _migrate(service: str, url: str | None) -> None:
    if url is None:
        refuse_to_start(f"{service.upper()}_MIGRATION_DATABASE_URL is missing: the login that owns the tables")
    try:
        migrations.migrate(service, url)
    except (SQLAlchemyError, OSError) as error:
        complain(f"the migration failed: {describe(error)}")
        sys.exit(1)
    sys.stdout.write(f"{service}: at {migrations.head(service)}\n")
