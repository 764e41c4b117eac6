"""Fields that take what JSON Schema says and no more: pydantic would also read numbers as dates or flags."""

import re
from datetime import date
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BeforeValidator, Field, StrictBool

from kit.validation import FieldError

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


def _day(value: Any) -> Any:
    """Refuse what is no text that begins with a day: pydantic takes a number for seconds since 1970."""
    if not isinstance(value, str) or not _DAY.match(value):
        raise FieldError("须以日期开头，如 2026-03-01", "should begin with a date such as 2026-03-01")
    return value


Day = Annotated[date, BeforeValidator(_day)]
"""A date, as RFC 3339 writes it."""
Moment = Annotated[AwareDatetime, BeforeValidator(_day)]
"""A date and time with its offset from UTC, as RFC 3339 writes it."""
Flag = StrictBool
"""true or false."""
Whole = Annotated[int, Field(strict=True)]
"""A whole number, written as one: no text, no flag and no 12.0 is taken for one."""
