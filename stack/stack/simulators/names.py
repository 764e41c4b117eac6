"""Plausible company names and the words they are made of."""

import random
from typing import Final, Literal

Chain = Literal["chips", "models", "hardware", "applications", "robotics"]

CHAINS: Final[tuple[Chain, ...]] = ("chips", "models", "hardware", "applications", "robotics")
CHAIN_WEIGHTS: Final = (1, 2, 2, 4, 2)

_FIRST: Final = "智云启明星海深慧鹏瀚元朗昊澜睿极灵拓芯曜岭臻"
_SECOND: Final = "图驰联创维境源航擎策诺界象迅泽衡羽川岳渊"
_TRADES: Final[dict[Chain, tuple[str, ...]]] = {
    "chips": ("半导体", "微电子", "芯片技术"),
    "models": ("大模型", "智能科技", "认知科技"),
    "hardware": ("智能硬件", "电子科技", "智能终端"),
    "applications": ("人工智能应用", "数据科技", "软件", "智慧医疗科技"),
    "robotics": ("机器人", "具身智能", "自动化"),
}


def company_name(random_: random.Random, chain: Chain) -> str:
    """Return a name such as 深圳市智图机器人有限公司."""
    brand = random_.choice(_FIRST) + random_.choice(_SECOND)
    return f"深圳市{brand}{random_.choice(_TRADES[chain])}有限公司"


def provider_name(number: int) -> str:
    """Return the name of a seller of computing power."""
    return f"深圳市{_FIRST[number % len(_FIRST)]}算{_SECOND[-1 - number % len(_SECOND)]}智算中心有限公司"
