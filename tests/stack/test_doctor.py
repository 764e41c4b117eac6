"""`drawdown doctor`: each fault of a machine or a data directory is made for real, found, and told with its cure."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

import psutil
import pytest

from stack.config import Ports
from stack.doctor import clock, machine, versions
from stack.home import Home
from stack.ports import free_ports, is_free
from tests import clocks
from tests.faults.small_disk import SmallDisk

DRAWDOWN = (sys.executable, "-c", "from stack.cli import main; main()")
Found = dict[str, dict[str, str]]


class Doctor:
    """The command in one data directory whose ports nobody uses."""

    def __init__(self, home: Home) -> None:
        ports = Ports.free().by_name()
        self.variables = {f"DRAWDOWN_{name.upper()}_PORT": str(port) for name, port in ports.items()}
        self.variables["DRAWDOWN_HOME"] = str(home.path)

    def __call__(self, *arguments: str, before: str = "") -> tuple[int, Found, str]:
        """The exit code, what was found, what was complained of."""
        command = ["bash", "-c", f'{before}exec "$@"', "doctor", *DRAWDOWN, "doctor", "--json", *arguments]
        environment = {**without_services(os.environ), **self.variables}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
        found = json.loads(done.stdout)["findings"] if done.stdout else []
        return done.returncode, {finding["check"]: finding for finding in found}, done.stderr


def without_services(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.endswith(("_URL", "_BOOTSTRAP"))}


@pytest.fixture
def doctor(home: Home) -> Doctor:
    return Doctor(home)


def ill(found: Found) -> dict[str, str]:
    """What is wrong, each with a reason and a cure."""
    wrong = {name: finding["what"] for name, finding in found.items() if finding["status"] == "wrong"}
    assert all(found[name]["why"] and found[name]["mend"] for name in wrong)
    return wrong


def test_a_fresh_place_is_well_and_is_left_as_it_is(doctor: Doctor, home: Home) -> None:
    shutil.rmtree(home.path)
    code, found, _ = doctor()
    assert (code, ill(found)) == (0, {})
    assert {"python", "packages", "postgresql", "java", "kafka", "memory", "open files", "ports"} <= found.keys()
    assert not home.path.exists()
    home.logs.mkdir(parents=True)


def test_people_get_lines_with_reason_and_cure(doctor: Doctor, home: Home) -> None:
    said = subprocess.run(
        [*DRAWDOWN, "doctor", "--least-disk-gb", "1e9"],
        env={**os.environ, **doctor.variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 1
    lines = said.stdout.splitlines()
    assert lines[0].startswith("✗ disk: data")
    assert [line.split()[0] for line in lines[1:3]] == ["why", "mend"]
    assert lines[-1].startswith("1 wrong, ") or "disk" in said.stdout


def test_a_port_that_is_taken_is_told_with_who_has_it(doctor: Doctor) -> None:
    with socket.create_server(("127.0.0.1", int(doctor.variables["DRAWDOWN_KAFKA_PORT"]))):
        code, found, _ = doctor()
    assert (code, set(ill(found))) == (1, {"port: kafka"})
    assert f"(pid {os.getpid()})" in found["port: kafka"]["what"]
    assert "--kafka-port" in found["port: kafka"]["mend"]


def test_a_port_that_is_none_is_a_wrong_configuration(doctor: Doctor) -> None:
    doctor.variables["DRAWDOWN_INTAKE_PORT"] = "eight"
    code, _, complaint = doctor()
    assert code == 78
    assert complaint == "drawdown: DRAWDOWN_INTAKE_PORT is eight: it has to be a port, from 1 to 65535\n"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    disk = SmallDisk(tmp_path / "data", tmp_path / "disk")
    try:
        disk.mount()
    except PermissionError:
        pytest.skip("mounting a tmpfs is not allowed here: run it as root, or as the README of tests/faults says")
    yield disk
    disk.give_back()


def test_a_full_disk(doctor: Doctor, disk: SmallDisk, tmp_path: Path) -> None:
    place = tmp_path / "disk"
    (place / "some").write_bytes(bytes(1 << 20))
    disk.fill()
    doctor.variables["DRAWDOWN_HOME"] = str(place / "home")
    code, found, _ = doctor()
    assert (code, ill(found)) == (1, {"disk: data": f"{place} has 0.00 GB left, less than 2"})
    disk.free()
    assert doctor()[0] == 0


def test_too_few_open_files(doctor: Doctor) -> None:
    code, found, _ = doctor(before="ulimit -n 512; ")
    assert (code, ill(found)) == (1, {"open files": "a process may have 512 files open, less than 4096"})


def test_a_component_close_to_its_limit_of_files() -> None:
    [finding] = machine.close_to_limit({"kafka": (900, 1000), "intake": (10, 1000)})
    assert (finding.status, finding.what) == ("wrong", "kafka 900 of 1000")
    [finding] = machine.close_to_limit({"kafka": (700, 1000), "intake": (10, 1000)})
    assert (finding.status, finding.what) == ("well", "most by kafka: 700 of 1000")


@pytest.mark.parametrize(("most", "free"), [("300000000", 100_000_000), ("max", None)])
def test_memory_is_what_the_container_may_have(tmp_path: Path, most: str, free: int | None) -> None:
    (tmp_path / "memory.max").write_text(f"{most}\n")
    (tmp_path / "memory.current").write_text("200000000\n")
    here = psutil.virtual_memory().total
    seen = machine.available_memory(tmp_path)
    assert seen == free if free is not None else 0 < seen <= here


def test_a_process_that_was_left_behind(doctor: Doctor, home: Home) -> None:
    [port] = free_ports(1)
    left = subprocess.Popen(
        [sys.executable, "-m", "stack.simulators", "registers"],
        env={**os.environ, "SIM_HTTP_PORT": str(port)},
        cwd=home.path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 30
        while is_free(port):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        code, found, _ = doctor()
    finally:
        left.kill()
        left.wait()
    assert (code, set(ill(found))) == (1, {"leftovers"})
    assert f"(pid {left.pid})" in found["leftovers"]["what"]
    assert found["leftovers"]["mend"] == f"kill -INT {left.pid}"
    assert doctor()[0] == 0


def test_private_files_that_others_read_and_that_are_gone(doctor: Doctor, home: Home) -> None:
    home.postgres.mkdir()
    home.issuer.mkdir()
    for path in (home.passwords_file, home.keyring_file, home.signing_key_file):
        path.write_text("{}")
        path.chmod(0o600)
    assert doctor()[0] == 0
    home.keyring_file.chmod(0o640)
    home.passwords_file.unlink()
    code, found, _ = doctor()
    assert code == 1
    assert ill(found) == {
        "private file: keyring.json": "others can get at it (mode 640)",
        "private file: passwords.json": "it is missing",
    }
    assert found["private file: keyring.json"]["mend"] == f"chmod 600 {home.keyring_file}"


def test_a_cluster_of_another_postgresql(doctor: Doctor, home: Home) -> None:
    version = home.postgres / "data" / "PG_VERSION"
    version.parent.mkdir(parents=True)
    version.write_text("17\n")
    _, found, _ = doctor()
    assert "the cluster is of 17" in ill(found)["postgresql"]


def test_a_stale_environment(tmp_path: Path) -> None:
    here = metadata.version("httpx")
    lock = tmp_path / "uv.lock"
    lock.write_text(f'[[package]]\nname = "httpx"\nversion = "{here}"\n')
    assert versions.installed(lock).status == "well"
    lock.write_text('[[package]]\nname = "httpx"\nversion = "999"\n')
    finding = versions.installed(lock)
    assert (finding.status, finding.what) == ("wrong", f"httpx is {here}, locked is 999")
    assert finding.mend == "make setup"


def test_a_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "_ROOT", "no-such-package")
    assert list(versions.differences({})) == ["no-such-package is not installed"]


@pytest.mark.parametrize("version", [(3, 10), (3, 15)])
def test_a_python_that_nobody_tried(version: tuple[int, int]) -> None:
    assert versions.python(version).status == "wrong"


def test_a_clock_that_is_a_minute_off(doctor: Doctor) -> None:
    for ahead, said in ((60, "behind that of"), (-60, "ahead of that of")):
        with clocks.server(ahead_seconds=ahead) as url:
            code, found, _ = doctor("--time-source", url)
        assert (code, set(ill(found))) == (1, {"clock"})
        assert said in found["clock"]["what"]
    with clocks.server() as url:
        assert doctor("--time-source", url)[0] == 0


def test_a_time_source_that_does_not_answer_says_nothing_of_the_clock(doctor: Doctor) -> None:
    [port] = free_ports(1)
    code, found, _ = doctor("--time-source", f"http://127.0.0.1:{port}")
    assert (code, found["clock"]["status"]) == (0, "unknown")


TRACKING = "C0A80001,192.168.0.1,3,1790000000.1,{},0.000001,0.00002,-3.5,0.001,0.02,0.003,0.001,64.2,{}\n"


def test_chrony_tells_how_far_the_clock_is_ahead() -> None:
    assert clock.chrony_offset(TRACKING.format("60.000012", "Normal")) == pytest.approx(60)
    assert clock.chrony_offset(TRACKING.format("0.0", "Not synchronised")) is None
    assert clock.chrony_offset("506 Cannot talk to daemon\n") is None


def test_addresses_elsewhere_are_looked_at_by_the_service(doctor: Doctor, home: Home) -> None:
    [port] = free_ports(1)
    doctor.variables |= {
        "METRICS_DATABASE_URL": f"postgresql://metrics:secret@127.0.0.1:{port}/metrics",
        "METRICS_KAFKA_BOOTSTRAP": f"127.0.0.1:{port}",
    }
    code, found, complaint = doctor()
    assert code == 1
    assert {"database: metrics", "brokers: metrics"} <= ill(found).keys()
    assert "ports" not in found, "no stack was ever started here, and none is meant"
    assert "secret" not in json.dumps(found) + complaint
    del doctor.variables["METRICS_KAFKA_BOOTSTRAP"]
    _, found, _ = doctor()
    assert "METRICS_KAFKA_BOOTSTRAP" in ill(found)["settings: metrics"]
