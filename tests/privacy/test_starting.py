"""A service without its keys says so in one line, and does not start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

POLICIES = Path(__file__).parents[2] / "policies"


@pytest.mark.parametrize("service", ["intake", "eligibility", "disbursement"])
@pytest.mark.parametrize(("held", "said"), [(None, "can't be read"), ('{"keys": []}', "is no keyring")])
def test_without_its_keys_a_service_does_not_start(service: str, held: str | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    if held is not None:
        path.write_text(held)
    own = {
        "DATABASE_URL": "postgresql://nobody:x@127.0.0.1:1/nothing",
        "KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "HTTP_PORT": "0",
        "POLICIES_DIR": str(POLICIES),
        "PROGRAMME_FILE": str(POLICIES / "programme.yaml"),
        "REGISTERS_URL": "http://127.0.0.1:1",
        "KEYRING_FILE": str(path),
    }
    environment = {**os.environ, **{f"{service.upper()}_{name}": value for name, value in own.items()}}
    command = [sys.executable, "-m", service, "run"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 78, done.stderr
    [line] = done.stderr.splitlines()
    assert line.startswith(f"{service}: {service.upper()}_KEYRING_FILE: {path} {said}")
