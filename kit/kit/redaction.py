"""What no log line may say: names, accounts, contacts, secrets. By key, and in texts that others wrote, by form.

Texts of errors are the ones that surprise: a database's error quotes the row that it refused, a validator's the input.
"""

import re
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

REDACTED: Final = "[redacted]"

# Whole words of a key: ``account``, ``creditor_account`` and ``account_number`` are private, ``accounts_asked`` is not.
_PRIVATE: Final = frozenset(
    {
        "account",
        "authorization",
        "contact",
        "creditor",
        "email",
        "name",
        "number",
        "password",
        "phone",
        "secret",
        "sealed",
        "token",
    }
)
_HARMLESS: Final = frozenset({"logger_name", "event_name", "key_name", "table_name"})
# Hexadecimal and ours alone. One span in 1,800 has only decimal digits, and would look like an account's number.
_OURS: Final = frozenset({"trace_id", "span_id"})
_WORDS: Final = re.compile(r"[a-z0-9]+")
_DEEPEST: Final = 8

_IN_TEXTS: Final = (
    re.compile(r"(?<=DETAIL:  ).*"),  # PostgreSQL quotes the row or the key
    re.compile(r"(?<=\[parameters: ).*(?=\])"),  # SQLAlchemy, where it is not told to hide them
    re.compile(r"(?<=input_value=).*?(?=, input_type=)"),  # pydantic
    re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+\.[A-Za-z0-9.-]+(?!\S*/)"),  # an address, but no database's URL
    re.compile(r"(?<=Bearer )\S+"),
    re.compile(r"(?<=://)[^\s/:@]+:[^\s/@]+(?=@)"),  # a login in a URL
    re.compile(r"v1\.[a-z0-9-]+\.[A-Za-z0-9_=-]{16,}"),  # what is sealed
    re.compile(r"(?<![\w.:-])\d(?:[ -]?\d){11,29}(?![\w.:-])"),  # an account's number, or a telephone's
)


def redact(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace what is private in a log line: by key at any depth, by form in texts."""
    for key, value in entry.items():
        if key not in _OURS:
            entry[key] = _redacted(key, value, 0)
    return entry


def _redacted(key: str, value: Any, depth: int) -> Any:
    if _is_private(key) and value is not None:
        return REDACTED
    match value:
        case str():
            return in_text(value)
        case Mapping() if depth < _DEEPEST:
            return {name: _redacted(str(name), part, depth + 1) for name, part in value.items()}
        case list() | tuple() | set() | frozenset() if depth < _DEEPEST:
            return [_redacted("", part, depth + 1) for part in value]
        case Mapping() | list() | tuple() | set() | frozenset():
            return REDACTED
        case _:
            return value


def _is_private(key: str) -> bool:
    lowered = key.lower()
    return lowered not in _HARMLESS and not _PRIVATE.isdisjoint(_WORDS.findall(lowered.replace("_", " ")))


def in_text(value: str) -> str:
    """Return a text without what looks like an address, a login, a number of an account, or a row of a database."""
    for form in _IN_TEXTS:
        value = form.sub(REDACTED, value)
    return value
