"""`python -m <service> run | migrate | check | settings | openapi`: what one can do with a service.

Each imports only what it needs: a migration starts without the web framework, a service without Alembic.
"""

import json
import sys
from importlib import import_module
from importlib.metadata import version

from kit import logging, tracing_settings
from kit.settings import ServiceSettings, complain, load_settings, refuse_to_start

USAGE = "usage: python -m {service} run | migrate | check | settings | openapi"


def main(service: str, settings_kind: type[ServiceSettings]) -> None:
    """Be the entry point of a service's package, which has a ``main`` module with ``run`` and ``openapi``."""
    match sys.argv[1:]:
        case ["run"]:
            _run(service, load_settings(settings_kind))
        case ["migrate"]:
            _migrate(service, load_settings(settings_kind).migration_database_url)
        case ["check"]:
            _check(service, load_settings(settings_kind))
        case ["settings"]:
            described = import_module("kit.described").described(settings_kind)
            sys.stdout.write(json.dumps(described, ensure_ascii=False, indent=2) + "\n")
        case ["openapi"]:
            document = import_module(f"{service}.main").openapi()
            sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
        case _:
            complain(USAGE.format(service=service))
            sys.exit(2)


def _run(service: str, settings: ServiceSettings) -> None:
    installed = version(f"drawdown-{service}")
    logging.configure(service, log_format=settings.log_format, level=settings.log_level, version=installed)
    tracing_settings.configure(service, installed)
    run = import_module(f"{service}.main").run
    import_module("kit.service").run_process(lambda: run(settings))


def _check(service: str, settings: ServiceSettings) -> None:
    logging.configure(service, log_format="json", level="CRITICAL")
    sys.exit(import_module("kit.checkup").main(service, settings))


def _migrate(service: str, url: str | None) -> None:
    if url is None:
        refuse_to_start(f"{service.upper()}_MIGRATION_DATABASE_URL is missing: the login that owns the tables")
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415  # see the module's docstring

    from kit import migrations  # noqa: PLC0415
    from kit.database import describe  # noqa: PLC0415

    try:
        migrations.migrate(service, url)
    except (SQLAlchemyError, OSError) as error:
        complain(f"the migration failed: {describe(error)}")
        sys.exit(1)
    sys.stdout.write(f"{service}: at {migrations.head(service)}\n")
