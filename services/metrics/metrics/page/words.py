"""The page's words (words.toml), and how it writes times, dates, months and waits in either language."""

import tomllib
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from contracts.common import Text

_TEXTS: Final = msgspec.convert(tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8")), dict[str, Text])
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
Language = Literal["zh-CN", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("zh-CN", "en")

_BEIJING: Final = "Asia/Shanghai"


class Words:
    """The words in one language. ``words["key"]`` is a text, ``words("key", name=...)`` one with something put in."""

    def __init__(self, language: Language) -> None:
        self.language: Language = language

    def __getitem__(self, key: str) -> str:
        return _TEXTS[key].in_language(self.language)

    def __call__(self, key: str, **named: Any) -> str:
        return self[key].format(**named)

    def moment(self, moment: datetime) -> str:
        """Return a local time to the second, with the name of its zone."""
        zone = self["zone"] if str(moment.tzinfo) == _BEIJING else str(moment.tzinfo)
        comma, gap = ("", "") if self.language == "zh-CN" else (",", " ")
        return f"{self.date(moment.date())}{comma} {moment:%H:%M:%S}{gap}{self('clock', zone=zone)}"

    def date(self, day: date) -> str:
        if self.language == "zh-CN":
            return f"{day.year}年{day.month}月{day.day}日"
        return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"

    def month(self, key: str) -> str:
        """Return the month ``2026-03`` in words."""
        year, month = map(int, key.split("-"))
        return f"{year}年{month}月" if self.language == "zh-CN" else f"{_MONTHS[month - 1]} {year}"

    def short_month(self, key: str) -> str:
        month = int(key.split("-")[1])
        return f"{month}月" if self.language == "zh-CN" else _MONTHS[month - 1][:3]

    def wait(self, seconds: int) -> str:
        for size, key in ((3600, "hours"), (60, "minutes")):
            if seconds >= 2 * size:
                return self(key, n=seconds // size)
        return self("seconds", n=seconds)

    def number(self, value: int) -> str:
        return f"{value:,}"
