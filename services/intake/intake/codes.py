"""Unified social credit codes (GB 32100-2015): is one right, and what would be right instead?"""

import re
from operator import mul
from typing import Final

from stdnum.cn import uscc as uscc_number
from stdnum.exceptions import InvalidChecksum, ValidationError

from kit.validation import FieldError

# GB 32100-2015: each of the first 17 characters counts 3 to the power of its place, modulo 31, which the last makes up.
_VALUES: Final = {character: value for value, character in enumerate("0123456789ABCDEFGHJKLMNPQRTUWXY")}
_WEIGHTS: Final = (*(pow(3, place, 31) for place in range(17)), 1)
_FORM: Final = re.compile("[0-9]{8}[0-9A-Y]{10}")


def has_right_form(value: str) -> bool:
    """Return whether ``checked`` has nothing to say: a tenth of the time that the library needs for it."""
    if not _FORM.fullmatch(value):
        return False
    values = [_VALUES.get(character, -1) for character in value]
    return -1 not in values and sum(map(mul, values, _WEIGHTS)) % 31 == 0


def checked(value: str) -> str:
    """Return the code; raise FieldError, which says what would be right, where it is none."""
    if has_right_form(value):
        return value
    try:
        uscc_number.validate(value)
    except InvalidChecksum:
        right = uscc_number.calc_check_digit(value[:17])
        raise FieldError(
            f"校验码有误：{value[:17]} 之后应为 {right}（GB 32100-2015）",
            f"has a wrong check character: after {value[:17]} comes {right} (GB 32100-2015)",
        ) from None
    except ValidationError as error:
        raise FieldError(
            "不是统一社会信用代码（GB 32100-2015）", f"is no unified social credit code (GB 32100-2015): {error}"
        ) from None
    return value
