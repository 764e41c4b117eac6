"""The compose file: what it says, and the whole of it built, run, broken and stopped where there is an engine."""

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import yaml

from tests.deploy import scraping, servers
from tests.deploy.engine import Project, demanded, docker
from tests.deploy.manifests import ROOT, SERVICES

FILE: Final = ROOT / "docker-compose.yml"
ONCE: Final = {"secrets", "prepare", *(f"{service}-migration" for service in SERVICES)}
LASTING: Final = (*SERVICES, "postgres", "kafka")
OUTSIDERS: Final = ("registers", "finance")
FIRST_START_SECONDS: Final = 180
SEASON: Final = (
    "--profile",
    "demo",
    "run",
    "--rm",
    "--no-deps",
    "--no-TTY",
    "demo",
    "drawdown",
    "demo",
    "--companies",
    "1500",
)
TOKEN: Final = ["run", "--rm", "--no-TTY", "demo", "drawdown", "token", "--scope", "portal"]
BETWEEN_KILLS_SECONDS: Final = 4
PAUSE_SECONDS: Final = 30


def said() -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]
    return services


def test_nothing_is_reached_from_another_machine() -> None:
    ports = {name: port for name, service in said().items() for port in service.get("ports", [])}
    assert ports.keys() >= {*SERVICES, "postgres", "kafka"}
    assert not [port for port in ports.values() if not port.startswith("127.0.0.1:")]


def test_every_image_is_one_version_and_every_container_may_be_many() -> None:
    for name, service in said().items():
        assert ":" in service["image"], name
        assert not service["image"].endswith(":latest"), name
        assert "container_name" not in service, name
        assert "privileged" not in service, name


def test_what_goes_on_has_limits_health_and_comes_back() -> None:
    for name, service in said().items():
        assert "mem_limit" in service, name
        if name in ONCE or name == "demo":
            assert service.get("restart", "no") == "no", name
            continue
        assert service["restart"] == "unless-stopped", name
        own = (*SERVICES, "jaeger")  # the services' images bring theirs, Jaeger's has nothing to ask it by
        assert "healthcheck" in service or name in own, name


def test_no_secret_is_in_the_file() -> None:
    secret = re.compile("PASSWORD|SECRET|TOKEN|DATABASE_URL|KEYRING")
    for name, service in said().items():
        for variable in service.get("environment") or {}:
            if secret.search(variable):
                assert variable.endswith(("_FILE", "_DIR")), f"{name}: {variable}"


def test_a_service_finds_its_own_secrets_and_no_others() -> None:
    for service in SERVICES:
        for name, directory in ((service, service), (f"{service}-migration", f"{service}-owner")):
            mounted = [v for v in said()[name]["volumes"] if isinstance(v, dict) and v["source"] == "secrets"]
            assert [(each["volume"]["subpath"], each["read_only"]) for each in mounted] == [(directory, True)]


@pytest.fixture(scope="module")
def project() -> Iterator[Project]:
    """The system as `docker compose up -d --build --wait` leaves it."""
    demanded()
    project = Project("drawdown-of-a-test")
    try:
        project.compose("build")
        began = time.monotonic()
        project.compose("up", "--detach", "--build", "--wait", "--wait-timeout", str(FIRST_START_SECONDS))
        assert time.monotonic() - began < FIRST_START_SECONDS
        yield project
    finally:
        project.compose("--profile", "*", "down", "--volumes", "--timeout", "30")


def test_it_comes_up_whole(project: Project) -> None:
    states = project.states()
    assert {name: states[name]["State"]["Health"]["Status"] for name in LASTING} == dict.fromkeys(LASTING, "healthy")
    assert {name: states[name]["State"]["ExitCode"] for name in ONCE} == dict.fromkeys(ONCE, 0)
    for service in SERVICES:
        answer = httpx.get(f"http://127.0.0.1:{project.ports[service.upper()]}/health/ready", trust_env=False)
        assert answer.status_code == 200, answer.text


async def test_a_season_goes_through_it_and_every_query_of_the_boards_is_answered(
    project: Project, tmp_path: Path
) -> None:
    ports = {service: project.ports[service.upper()] for service in SERVICES}
    async with (
        servers.prometheus(tmp_path, scraping.hurried(tmp_path, ports)) as prometheus,
        httpx.AsyncClient(trust_env=False) as client,
    ):
        told = await asyncio.to_thread(project.compose, "--profile", "demo", "run", "--rm", "--no-TTY", "demo")
        assert "FAILED" not in told.stdout
        token = await asyncio.to_thread(project.compose, *TOKEN)
        headers = {"authorization": f"Bearer {token.stdout.strip()}"}

        async def call() -> None:
            answer = await client.get(f"http://127.0.0.1:{ports['intake']}/v1/applications", headers=headers)
            assert answer.json()["items"], "the season's applications are another client's"

        assert await scraping.unanswered(prometheus, call) == set()


def test_each_container_is_killed_and_the_broker_stands_still_and_the_books_balance(project: Project) -> None:
    season = project.started(*SEASON)
    try:
        for service in (*SERVICES, *OUTSIDERS, "postgres", "kafka"):
            time.sleep(BETWEEN_KILLS_SECONDS)
            assert season.poll() is None, "the season was over before everything had been killed"
            project.kill(service)
        project.until_healthy([*LASTING, *OUTSIDERS])
        project.compose("pause", "kafka")
        time.sleep(PAUSE_SECONDS)
        project.compose("unpause", "kafka")
        told, _ = season.communicate()
    finally:
        season.kill()
        season.wait()
    assert season.returncode == 0, told


def test_it_starts_again_with_what_it_had(project: Project) -> None:
    before = httpx.get(f"http://127.0.0.1:{project.ports['METRICS']}/v1/pools", trust_env=False).json()
    project.compose("--profile", "demo", "stop")
    ended = {name: project.states()[name]["State"]["ExitCode"] for name in (*LASTING, *OUTSIDERS)}
    # 143 is what Java answers to SIGTERM after all its hooks have run. 137 would be the engine's patience at its end.
    assert ended == {**dict.fromkeys((*LASTING, *OUTSIDERS), 0), "kafka": 143}
    project.compose("up", "--detach", "--wait")
    after = httpx.get(f"http://127.0.0.1:{project.ports['METRICS']}/v1/pools", trust_env=False).json()
    assert before["items"] == after["items"]


def test_down_leaves_nothing(project: Project) -> None:
    project.compose("--profile", "*", "down", "--volumes")
    assert project.states() == {}
    left = docker("volume", "ls", "--quiet", "--filter", "label=com.docker.compose.project=drawdown-of-a-test")
    assert left.stdout == ""
