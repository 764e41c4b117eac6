"""You are at how the simulated finance system may behave: as usual, or as badly as it can.

At its worst it says almost a third of its reports twice, contradicts itself on every tenth payment, tells every tenth
outcome only when asked, and its reports overtake each other. The services then work under a copy of the policies, in
the data directory, by which finance is asked after seconds where it has days.
"""

import shutil
from dataclasses import replace
from enum import StrEnum
from typing import Any, Final

import yaml

from stack.config import Config, policies_dir

WORST: Final = {
    "SIM_DUPLICATES": "0.3",
    "SIM_CONTRADICTIONS": "0.1",
    "SIM_LOST": "0.1",
    "SIM_RETURNED": "0.1",
    "SIM_REJECTED": "0.05",
    "SIM_REORDER_SECONDS": "15",
}
_SOON: Final = {"within": "PT8S", "then": "ask_finance"}


class Manner(StrEnum):
    """How the finance system behaves."""

    USUAL = "usual"
    WORST = "worst"


def behaving(config: Config, manner: Manner) -> Config:
    """Return the configuration of a stack whose finance system behaves so. What the operator set counts more."""
    if manner is Manner.USUAL:
        return config
    folder = config.home.path / "policies"
    shutil.copytree(policies_dir(), folder, dirs_exist_ok=True)
    for document in folder.glob("*.yaml"):
        policy = yaml.safe_load(document.read_text("utf-8"))
        if "scheme" in policy:
            document.write_text(yaml.safe_dump(impatient(policy), allow_unicode=True, sort_keys=False), "utf-8")
    return replace(config, policies=folder, environment={**WORST, **config.environment})


def impatient(policy: dict[str, Any]) -> dict[str, Any]:
    """Return the policy with short waits for finance's answers."""
    return {**policy, "clocks": {**policy.get("clocks", {}), "payment": _SOON, "account_check": _SOON}}
