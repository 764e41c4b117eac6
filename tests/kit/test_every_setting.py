"""Each service, each variable: a missing or a wrong one is one line that names it, and exit code 78."""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from contracts.topics import SERVICES
from kit.described import described
from kit.settings import ServiceSettings, load_settings

POLICIES = Path(__file__).parents[2] / "policies"
GOOD = {
    "DATABASE_URL": "postgresql://nobody:x@127.0.0.1:1/nothing",
    "KAFKA_BOOTSTRAP": "127.0.0.1:1",
    "KEYRING_FILE": "/nowhere/keyring.json",
    "POLICIES_DIR": str(POLICIES),
    "PROGRAMME_FILE": str(POLICIES / "programme.yaml"),
    "REGISTERS_URL": "http://127.0.0.1:1",
}
WRONG = {
    "count": "many",
    "seconds": "soon",
    "days": "some",
    "events": "few",
    "port": "eighty",
    "a second": "often",
    "`true` or `false`": "perhaps",
    "JSON": "{",
}
KINDS: dict[str, type[ServiceSettings]] = {
    service: import_module(f"{service}.settings").Settings for service in SERVICES
}
SETTINGS = [(service, setting) for service in SERVICES for setting in described(KINDS[service])]
NAMES = [setting["variable"] for _, setting in SETTINGS]


def variables(service: str) -> dict[str, str]:
    return {f"{service.upper()}_{name}": value for name, value in GOOD.items()}


@pytest.fixture(autouse=True)
def nothing_else_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.partition("_")[0].lower() in SERVICES:
            monkeypatch.delenv(name)


def refused(service: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that it ends with."""
    with pytest.raises(SystemExit) as ended:
        load_settings(KINDS[service])
    assert ended.value.code == 78
    [line] = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize(("service", "setting"), SETTINGS, ids=NAMES)
def test_one_that_is_missing_or_wrong_is_named_with_its_meaning(
    service: str, setting: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    variable = setting["variable"]
    assert setting["meaning"], "an operator has to know what it is for"
    for name, value in variables(service).items():
        monkeypatch.setenv(name, value)
    if setting["required"]:
        monkeypatch.delenv(variable)
        line = refused(service, capsys)
        assert f"{variable}: field required ({setting['meaning']})" in line
    wrong = WRONG.get(setting["kind"]) or ("nonsense" if " or " in setting["kind"] else None)
    if wrong is not None:
        monkeypatch.setenv(variable, wrong)
        assert variable in refused(service, capsys)


@pytest.mark.parametrize("service", SERVICES)
def test_the_process_ends_with_78_and_prints_nothing_else(service: str) -> None:
    environment = {**os.environ, **variables(service)}
    del environment[f"{service.upper()}_DATABASE_URL"]
    for verb in ("run", "migrate", "check"):
        done = subprocess.run(
            [sys.executable, "-m", service, verb], env=environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (78, "")
        [line] = done.stderr.splitlines()
        assert line.startswith(f"{service}: {service.upper()}_DATABASE_URL: field required")


@pytest.mark.parametrize("service", SERVICES)
def test_a_file_that_a_setting_names_and_that_is_not_there_is_78_too(service: str) -> None:
    named = {"eligibility": "POLICIES_DIR", "disbursement": "PROGRAMME_FILE", "metrics": "PROGRAMME_FILE"}
    variable = f"{service.upper()}_{named.get(service, 'KEYRING_FILE')}"
    own = variables(service) | {variable: "/nowhere/at/all", f"{service.upper()}_HTTP_PORT": "0"}
    done = subprocess.run(
        [sys.executable, "-m", service, "run"],
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 78
    assert "/nowhere" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_secret_is_marked_and_may_be_a_file() -> None:
    for service in SERVICES:
        marked = {each["variable"] for each in described(KINDS[service]) if each["secret"]}
        prefix = service.upper()
        assert marked == {f"{prefix}_{name}" for name in ("DATABASE_URL", "MIGRATION_DATABASE_URL", "KAFKA_PASSWORD")}
        assert all(each["file"] for each in described(KINDS[service]) if each["secret"])


def test_the_page_names_every_variable() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "settings.md").read_text("utf-8")
    for name in NAMES:
        common = f"<SERVICE>_{name.partition('_')[2]}"
        assert f"`{name}`" in page or f"`{common}`" in page
    assert json.dumps(sorted(["worker", "http"])) in page
