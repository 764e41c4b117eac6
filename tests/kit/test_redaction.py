"""Logs say nothing of persons: not by key, not inside errors, whoever wrote the line."""

import json
import logging as standard
from collections.abc import Callable, Iterator

import pytest
import structlog
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from kit import logging, redaction
from kit.database import Database
from kit.redaction import REDACTED

NUMBER, EMAIL, PHONE, NAME = "6222020200012345678", "wang@example.cn", "13800138000", "王小明"
SAID = (NUMBER, EMAIL, PHONE, NAME)


@pytest.fixture
def configure() -> Iterator[Callable[[], None]]:
    """What begins to log as a service does, to what stdout is then."""
    root = standard.getLogger()
    handlers, level, before = root.handlers, root.level, structlog.get_config()
    yield lambda: logging.configure("test", log_format="json", level="INFO")
    root.handlers, root.level = handlers, level
    structlog.configure(**before)


def lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    found = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [value for value in SAID if value in str(found)] == []
    return found


@pytest.mark.parametrize(
    "key",
    ["account", "number", "contact", "name", "phone", "email", "token", "secret", "account_number", "creditor", "NAME"],
)
def test_private_keys_at_any_depth(key: str) -> None:
    entry = redaction.redact(None, "", {"applicant": {key: NAME}, "items": [{"deep": [{key: NAME}]}], key: 1})
    assert NAME not in str(entry)
    assert entry[key] == REDACTED


@pytest.mark.parametrize("key", ["event", "service", "topic", "applicant", "application_id", "accounts", "names_heard"])
def test_other_keys_are_left(key: str) -> None:
    assert redaction.redact(None, "", {key: "91440300708461136T"}) == {key: "91440300708461136T"}


@pytest.mark.parametrize(
    "harmless",
    [
        "019a2b3c-1234-7000-8000-123456789012",
        "2026-11-29T16:00:00.123456Z",
        "outbox 123456789",
        "127.0.0.1:5433",
        "offset=12345678901",
        "v1.fresh",
    ],
)
def test_what_only_looks_like_it_is_left(harmless: str) -> None:
    assert redaction.in_text(harmless) == harmless


def test_a_line_of_ours_and_one_of_a_library(configure: Callable[[], None], capfd: pytest.CaptureFixture[str]) -> None:
    configure()
    logging.get_logger("kit.test").info("sent", contact={"name": NAME}, reason=f"{EMAIL} wrote from {PHONE}0")
    standard.getLogger("library").warning("refused %s of %s", NUMBER, EMAIL)
    ours, theirs = lines(capfd)
    assert (ours["event"], ours["contact"]) == ("sent", REDACTED)
    assert theirs["event"] == f"refused {REDACTED} of {REDACTED}"


def test_the_text_of_an_error(configure: Callable[[], None], capfd: pytest.CaptureFixture[str]) -> None:
    configure()

    class Body(BaseModel):
        headcount: int

    try:
        Body.model_validate({"headcount": NAME})
    except ValueError:
        logging.get_logger("kit.test").exception("broke")
    [line] = lines(capfd)
    assert "input_value=[redacted]" in str(line["exception"])


async def test_the_parameters_and_the_row_of_a_refused_statement(
    database: Database, configure: Callable[[], None], capfd: pytest.CaptureFixture[str]
) -> None:
    configure()
    statement = text(
        "INSERT INTO redrive_audit (who, why, action, topic, key, handled) VALUES (:a, :b, 'x', 'y', 'z', NULL)"
    )
    with pytest.raises(DBAPIError) as refused:
        async with database.transaction() as connection:
            await connection.execute(statement, {"a": NAME, "b": NUMBER})
    assert NAME not in str(refused.value), "SQLAlchemy hides the parameters"
    assert refused.value.__cause__ is not None
    assert NAME in str(refused.value.__cause__.__cause__), "PostgreSQL quotes the row all the same"
    logging.get_logger("kit.test").error("broke", exc_info=refused.value)
    [line] = lines(capfd)
    assert "DETAIL:  [redacted]" in str(line["exception"])
