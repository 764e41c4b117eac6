"""The manifests build in every combination, and Kubernetes' own schemas and checkov find nothing in them."""

import json
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from tests.deploy.manifests import (
    COMPONENTS,
    K8S,
    OVERLAYS,
    ROOT,
    build,
    copied,
    environment,
    of_kind,
    overlay,
    with_components,
)

KUBERNETES = "1.34"
# What they add are objects of their own; these also change the pods, so with each other they are tried in full.
CHANGE_PODS = ("cnpg", "keda", "strimzi")
CHECKOV = "checkov==3.3.30"


def test_the_components_are_those_that_are_documented() -> None:
    assert set(COMPONENTS) == {
        "strimzi", "cnpg", "keda", "external-secrets", "monitoring", "gateway", "network-policies",
    }  # fmt: skip


def combined() -> Iterator[tuple[str, ...]]:
    """None, each alone, each pair of those that change pods, all but one, all; in both orders where it could matter."""
    yield ()
    yield from ((each,) for each in COMPONENTS)
    for pair in combinations(CHANGE_PODS, 2):
        yield pair
        yield pair[::-1]
    yield from (tuple(each for each in COMPONENTS if each != left_out) for left_out in COMPONENTS)
    yield COMPONENTS


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_combination_builds(name: str, tmp_path: Path) -> None:
    k8s = copied(tmp_path)
    bare = with_components(k8s, name, ())
    for components in combined():
        found = with_components(k8s, name, components)
        ids = [(each["kind"], each["metadata"]["name"]) for each in found]
        assert len(set(ids)) == len(ids), f"{components}: an object twice"
        more = len(found) - len(bare)
        assert more >= len(components), f"{components} add too little"


def test_the_order_of_components_changes_nothing(tmp_path: Path) -> None:
    k8s = copied(tmp_path)

    def of(components: tuple[str, ...]) -> list[str]:
        return sorted(_canonical(each) for each in with_components(k8s, "prod", components))

    assert of(COMPONENTS) == of(COMPONENTS[::-1])


def test_one_entry_of_an_overlay_switches_traces_on_for_all_services(tmp_path: Path) -> None:
    """The entry that docs/how-to/trace-an-application.md gives."""
    page = (ROOT / "docs" / "how-to" / "trace-an-application.md").read_text(encoding="utf-8")
    [entry] = re.findall(r"( +- name: tracing\n(?: +.*\n)+)", page)
    path = (k8s := copied(tmp_path)) / "overlays" / "prod" / "kustomization.yaml"
    head, generated, rest = path.read_text(encoding="utf-8").partition("configMapGenerator:\n")
    path.write_text(head + generated + textwrap.indent(textwrap.dedent(entry), "  ") + rest, encoding="utf-8")
    found = build(k8s / "overlays" / "prod")
    services = [each for each in of_kind(found, "Deployment") if each["metadata"]["name"].endswith(("http", "worker"))]
    assert len(services) == 8
    for each in services:
        assert environment(found, each)["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://otel-collector.monitoring:4318"


def _canonical(found: dict[str, object]) -> str:
    """The object as text, its lists of sources and variables in one order: there it means nothing."""

    def ordered(value: object) -> object:
        if isinstance(value, dict):
            return {key: ordered(each) for key, each in value.items()}
        if isinstance(value, list):
            return sorted((ordered(each) for each in value), key=lambda each: json.dumps(each, sort_keys=True))
        return value

    return json.dumps(ordered(found), sort_keys=True)


@pytest.mark.parametrize("name", OVERLAYS)
def test_kubernetes_own_schemas_find_nothing(name: str) -> None:
    checked = 0
    for found in overlay(name):
        try:
            kubernetes_validate.validate(found, KUBERNETES, strict=True)
        except kubernetes_validate.SchemaNotFoundError:
            assert "." in found["apiVersion"].split("/")[0], f"{found['kind']} is none of Kubernetes' own kinds"
        else:
            checked += 1
    assert checked >= 50


def test_the_schemas_would_find_a_misspelt_field() -> None:
    found = yaml.safe_load(yaml.safe_dump(build(K8S / "base")[-1]))
    found["spec"]["backofLimit"] = 3
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(found, KUBERNETES, strict=True)


def test_checkov_finds_nothing_but_the_reasoned_exceptions(tmp_path: Path) -> None:
    checkov = shutil.which("checkov")
    if checkov is None:
        pytest.skip(f"checkov is not there: `uv tool install {CHECKOV}` (its own environment, 190 MB)")
    path = tmp_path / "prod.yaml"
    path.write_text(yaml.safe_dump_all(overlay("prod")), encoding="utf-8")
    command = [checkov, "--config-file", str(K8S / "checkov.yaml"), "-f", str(path), "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    failed = [(each["check_id"], each["resource"]) for each in report.get("results", {}).get("failed_checks", [])]
    assert not failed
    assert report["summary"]["passed"] > 900


def test_prometheus_rules_are_those_of_the_repository() -> None:
    rules = ROOT / "deploy" / "prometheus" / "rules"
    if not rules.is_dir():
        pytest.skip("there are no rules in deploy/prometheus/rules yet")
    monitoring = K8S / "components" / "monitoring"
    done = subprocess.run(
        [sys.executable, str(monitoring / "generate.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "rules.yaml" in yaml.safe_load((monitoring / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
