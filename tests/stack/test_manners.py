"""How finance behaves is chosen with the stack: its settings, and policies that do not wait for it long."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import yaml

from contracts.policy import Policy
from stack.config import Config, policies_dir
from stack.home import open_home
from stack.manners import WORST, Manner, behaving


@pytest.fixture
def config() -> Iterator[Config]:
    home = open_home(Path(tempfile.mkdtemp(prefix="drawdown-test-")))
    yield Config(home=home, environment={"SIM_LOST": "0.9", "INTAKE_LOG_LEVEL": "DEBUG"})
    shutil.rmtree(home.path)


def policy(folder: Path) -> Policy:
    return msgspec.convert(yaml.safe_load((folder / "compute-voucher.yaml").read_text("utf-8")), Policy)


def test_as_usual_nothing_changes(config: Config) -> None:
    assert behaving(config, Manner.USUAL) == config


def test_at_its_worst_the_operators_own_settings_count_more(config: Config) -> None:
    environment = behaving(config, Manner.WORST).environment
    assert environment == {**WORST, "SIM_LOST": "0.9", "INTAKE_LOG_LEVEL": "DEBUG"}


def test_the_policies_of_the_worst_are_the_real_ones_but_for_two_waits(config: Config) -> None:
    chosen = behaving(behaving(config, Manner.WORST), Manner.WORST).policies
    assert chosen is not None
    assert {path.name for path in chosen.iterdir()} == {path.name for path in policies_dir().iterdir()}
    real, worst = policy(policies_dir()), policy(chosen)
    changed = {name for name in real.__struct_fields__ if getattr(real, name) != getattr(worst, name)}
    assert changed == {"clocks"}
    waits = {
        name for name in real.clocks.__struct_fields__ if getattr(real.clocks, name) != getattr(worst.clocks, name)
    }
    assert waits == {"payment", "account_check"}
    assert worst.clocks.payment.within < real.clocks.payment.within
