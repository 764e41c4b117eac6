"""What is wrong with a field, in both languages: pydantic's errors as pointers and sentences.

English is pydantic's own sentence. Chinese is made here, by the error's type; a validator of ours raises
``FieldError`` and brings both.
"""

from collections.abc import Mapping
from typing import Any, Final

from contracts.common import Text

_ZH: Final[Mapping[str, str]] = {
    "missing": "缺少此字段，请填写",
    "extra_forbidden": "没有此字段，请删除或更正名称",
    "string_type": "须为字符串",
    "string_too_short": "至少{min_length}个字符",
    "string_too_long": "至多{max_length}个字符",
    "string_pattern_mismatch": "须符合格式 {pattern}",
    "string_unicode": "不是有效的 Unicode 文本",
    "int_type": "须为整数",
    "int_parsing": "须为整数",
    "int_parsing_size": "整数过大",
    "int_from_float": "须为整数，不得有小数",
    "float_type": "须为数字",
    "bool_type": "须为 true 或 false",
    "bool_parsing": "须为 true 或 false",
    "list_type": "须为数组",
    "dict_type": "须为对象",
    "model_type": "须为对象",
    "model_attributes_type": "须为对象",
    "too_short": "至少{min_length}项，现有{actual_length}项",
    "too_long": "至多{max_length}项，现有{actual_length}项",
    "greater_than": "须大于 {gt}",
    "greater_than_equal": "不得小于 {ge}",
    "less_than": "须小于 {lt}",
    "less_than_equal": "不得大于 {le}",
    "literal_error": "须为以下之一：{expected}",
    "enum": "须为以下之一：{expected}",
    "uuid_type": "须为 UUID",
    "uuid_parsing": "须为 UUID",
    "uuid_version": "须为 UUIDv{expected_version}",
    "date_type": "须为日期，如 2026-03-01",
    "date_parsing": "须为日期，如 2026-03-01",
    "date_from_datetime_parsing": "须为日期，如 2026-03-01",
    "date_from_datetime_inexact": "须为日期，不得带时间",
    "datetime_type": "须为日期时间，如 2026-03-01T08:00:00Z",
    "datetime_parsing": "须为日期时间，如 2026-03-01T08:00:00Z",
    "datetime_from_date_parsing": "须为日期时间，如 2026-03-01T08:00:00Z",
    "timezone_aware": "日期时间须带时区，如 2026-03-01T08:00:00Z",
    "union_tag_invalid": "{discriminator} 须为以下之一：{expected_tags}",
    "union_tag_not_found": "缺少 {discriminator}",
    "json_invalid": "语法错误：{error}",
}


class FieldError(ValueError):
    """A validator says no, in both languages: what is wrong, and what would be right."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.text = Text(zh=zh, en=en)


def pointer(entry: Mapping[str, Any]) -> str:
    """Return the JSON Pointer of a field of the body; of another part, its place, such as `query:limit`."""
    place = [str(part) for part in entry["loc"]]
    if place[:1] == ["body"]:
        return "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in place[1:])
    return f"{place[0]}:{'.'.join(place[1:])}"


def detail(entry: Mapping[str, Any]) -> Text:
    """Return what is wrong with a field."""
    context = entry.get("ctx", {})
    own = context.get("error")
    if isinstance(own, FieldError):
        return own.text
    said = entry["msg"].removeprefix("Value error, ")
    template = _ZH.get(entry["type"])
    return Text(zh=template.format_map(context) if template else said, en=said)
