"""The images: what their file says, and one of them built and run as Kubernetes runs it, where there is an engine."""

import json
import re
import shutil
import subprocess
from typing import Any, Final

import pytest

from tests.deploy.manifests import ROOT, SERVICES

DOCKERFILE: Final = ROOT / "deploy" / "images" / "Dockerfile"
IMAGE: Final = "drawdown/intake:of-a-test"
# The base itself is the publisher's: about 120 MB of the 250 that an image may have.
MOST_ON_TOP_OF_THE_BASE: Final = 120_000_000
RESTRICTED: Final = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none")


def stages() -> dict[str, str]:
    """The stages of the file by their names."""
    parts = re.split(r"^FROM ", DOCKERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {re.split(r"\s+", part.splitlines()[0])[2]: part for part in parts}


def test_each_service_has_its_image() -> None:
    for service in SERVICES:
        said = stages()[service]
        assert said.startswith("runtime AS")
        assert f'CMD ["python", "-m", "{service}", "run"]' in said, "exec form: the service itself gets SIGTERM"
        assert f'CMD ["python", "-m", "kit.probe", "{service}"]' in said
        assert f"COPY --from=build-{service} /app/.venv /app/.venv" in said
        assert said.count("COPY") == 1, "nothing but .venv"
        assert f"--package drawdown-{service} " in stages()[f"build-{service}"]
    assert re.search(r"^USER \d+:\d+$", stages()["runtime"], re.MULTILINE)


def test_everything_in_them_is_locked() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    assert text.count("uv sync") == text.count("uv sync --frozen --no-dev") == len((*SERVICES, "tools"))
    [version] = re.findall(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert f"ARG UV_IMAGE=ghcr.io/astral-sh/uv:{version}\n" in text, "one uv for whoever builds"
    assert ":latest" not in text


def docker(*arguments: str, fails: bool = False) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(["docker", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert fails or done.returncode == 0, done.stderr[-2000:]
    return done


@pytest.fixture(scope="module")
def image() -> dict[str, Any]:
    """The image of intake, built; what the engine says of it."""
    if shutil.which("docker") is None or docker("info", fails=True).returncode:
        pytest.skip("there is no container engine: `docker info` has to answer")
    docker("build", "--network=host", "--file", str(DOCKERFILE), "--target=intake", "--tag", IMAGE, ".")
    [found] = json.loads(docker("image", "inspect", IMAGE).stdout)
    return dict(found)


def test_it_is_small_and_says_what_it_is(image: dict[str, Any]) -> None:
    sizes = docker("history", IMAGE, "--human=false", "--format={{.Size}} {{.CreatedBy}}").stdout.splitlines()
    [on_top] = [int(line.split()[0]) for line in sizes if "COPY /app/.venv" in line]
    assert on_top < MOST_ON_TOP_OF_THE_BASE
    assert image["Config"]["Labels"]["org.opencontainers.image.title"] == "drawdown-intake"
    assert image["Config"]["User"] == "10001:10001"
    assert image["Config"]["Healthcheck"]["Test"][0] == "CMD"


def test_it_runs_with_no_rights_and_a_root_that_can_t_be_written(image: dict[str, Any]) -> None:
    assert image
    document = json.loads(docker("run", "--rm", *RESTRICTED, IMAGE, "python", "-m", "intake", "openapi").stdout)
    assert document["info"]["title"] == "Drawdown intake"
    ended = docker("run", "--rm", *RESTRICTED, IMAGE, fails=True)
    assert ended.returncode == 78
    assert "INTAKE_DATABASE_URL: field required" in ended.stderr


def test_it_holds_one_service_and_no_tool(image: dict[str, Any]) -> None:
    assert image
    program = (
        "import importlib.util as u; print([n for n in ('intake','eligibility','stack','pip','uv') if u.find_spec(n)])"
    )
    said = docker("run", "--rm", *RESTRICTED, IMAGE, "python", "-c", program).stdout
    assert "intake" in said
    assert not {"eligibility", "stack", "uv"} & set(re.findall(r"\w+", said))
