"""The scheme's own fields, ``request.details``, checked against the JSON Schema of its policy when it is submitted."""

from functools import lru_cache
from typing import Any, Final

import msgspec
from jsonschema import Draft202012Validator, FormatChecker, ValidationError

from contracts.policy import Policy
from contracts.refusal import Refusal

_WORDS: Final = {
    "required": "缺少必填项",
    "type": "类型不正确",
    "enum": "不是可选值之一",
    "minimum": "小于最小值",
    "maximum": "大于最大值",
    "format": "格式不正确",
    "pattern": "格式不正确",
    "additionalProperties": "含有未定义的字段",
    "minItems": "项数不足",
    "contains": "缺少必需的一项",
}


def check(policy: Policy, details: dict[str, Any]) -> None:
    """Raise the refusal that names the first field that is wrong, in the order of the document, and the cure."""
    validator = _validator(msgspec.json.encode(policy.form, order="deterministic"))
    errors = sorted(validator.iter_errors(details), key=lambda error: [str(step) for step in error.absolute_path])
    if errors:
        raise _refusal(policy, errors[0])


@lru_cache(maxsize=256)
def _validator(form: bytes) -> Draft202012Validator:
    return Draft202012Validator(msgspec.json.decode(form), format_checker=FormatChecker())


def _refusal(policy: Policy, error: ValidationError) -> Refusal:
    steps = [*error.absolute_path, *_missing(error)]
    pointer = "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in ("request", "details", *steps))
    return Refusal(
        "form_invalid",
        f"{pointer}：{_WORDS.get(str(error.validator), '不符合要求')}（{error.message}）。"
        f"表单说明见 GET /v1/schemes/{policy.scheme}。",
        f"{pointer}: {error.message}. The form: GET /v1/schemes/{policy.scheme}.",
        status=422,
        pointer=pointer,
    )


def _missing(error: ValidationError) -> list[str]:
    """Return the field that is missing, so that the pointer names it and not what is around it."""
    if error.validator != "required" or not isinstance(error.instance, dict):
        return []
    required: Any = error.validator_value
    return [name for name in required if name not in error.instance][:1]
