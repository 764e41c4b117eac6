"""Builds the manifests as an operator does, and finds things in them."""

import shutil
import subprocess
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

Object = dict[str, Any]
ROOT: Final = Path(__file__).parents[2]
K8S: Final = ROOT / "deploy" / "k8s"
OVERLAYS: Final = ("dev", "staging", "prod")
COMPONENTS: Final = tuple(sorted(path.name for path in (K8S / "components").iterdir()))
SERVICES: Final = ("intake", "eligibility", "disbursement", "metrics")
HOW_TO_GET: Final = (
    "there is neither kubectl nor kustomize: install kubectl (Debian, or https://kubernetes.io/docs/tasks/tools/), "
    "its `kubectl kustomize` is enough and needs no cluster"
)


def build(directory: Path) -> list[Object]:
    """Return the objects of a kustomization. Skips the test, saying how to get it, where there is no builder."""
    if kubectl := shutil.which("kubectl"):
        command = [kubectl, "kustomize", str(directory)]
    elif kustomize := shutil.which("kustomize"):
        command = [kustomize, "build", str(directory)]
    else:
        pytest.skip(HOW_TO_GET)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, f"a warning: {done.stderr}"
    return list(yaml.load_all(done.stdout, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


@cache
def overlay(name: str) -> tuple[Object, ...]:
    """Return the objects of an overlay as it is in the repository."""
    return tuple(build(K8S / "overlays" / name))


def copied(place: Path) -> Path:
    """Copy all that a build reads, so that a test can change it; return the copy's ``deploy/k8s``."""
    shutil.copytree(K8S, place / "deploy" / "k8s")
    shutil.copytree(ROOT / "policies", place / "policies")
    shutil.copytree(ROOT / "deploy" / "grafana", place / "deploy" / "grafana")
    return place / "deploy" / "k8s"


def with_components(k8s: Path, name: str, components: Iterable[str]) -> list[Object]:
    """Build an overlay of a copy with these components in the place of its own."""
    path = k8s / "overlays" / name / "kustomization.yaml"
    kept = path.read_text(encoding="utf-8")
    document = yaml.safe_load(kept)
    document["components"] = [f"../../components/{each}" for each in components]
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    try:
        return build(path.parent)
    finally:
        path.write_text(kept, encoding="utf-8")


def of_kind(objects: Iterable[Object], *kinds: str) -> list[Object]:
    return [each for each in objects if each["kind"] in kinds]


def named(objects: Iterable[Object], kind: str, name: str) -> Object:
    [found] = [each for each in of_kind(objects, kind) if each["metadata"]["name"] == name]
    return found


def workloads(objects: Iterable[Object]) -> list[Object]:
    """Everything of ours that has pods."""
    found = of_kind(objects, "Deployment", "Job", "StatefulSet", "DaemonSet", "CronJob")
    assert len(found) == 12, "an http, a worker and a migration of each of the four services"
    return found


def pod(workload: Object) -> Object:
    return dict(workload["spec"]["template"]["spec"])


def labels(workload: Object) -> dict[str, str]:
    return dict(workload["spec"]["template"]["metadata"]["labels"])


def container(workload: Object) -> Object:
    [only] = pod(workload)["containers"]
    assert not pod(workload).get("initContainers"), "an initial container needs the same checks"
    return dict(only)


def name(workload: Object) -> str:
    return str(workload["metadata"]["name"])


def selects(selector: Object, found: dict[str, str]) -> bool:
    """Whether a label selector takes these labels."""
    for key, value in selector.get("matchLabels", {}).items():
        if found.get(key) != value:
            return False
    for rule in selector.get("matchExpressions", []):
        match rule["operator"]:
            case "In" if found.get(rule["key"]) in rule["values"]:
                continue
            case "Exists" if rule["key"] in found:
                continue
            case _:
                return False
    return True


def environment(objects: Iterable[Object], workload: Object) -> dict[str, str]:
    """Return the variables that a container gets: config maps in their order, then its own."""
    maps = {name(each): each["data"] for each in of_kind(objects, "ConfigMap")}
    found: dict[str, str] = {}
    for source in container(workload).get("envFrom", []):
        found |= maps[source["configMapRef"]["name"]]
    return found | {each["name"]: each["value"] for each in container(workload).get("env", [])}


def secret_files(workload: Object) -> Iterator[tuple[str, str, str]]:
    """Yield secret, key and the path that it is mounted at, of each."""
    mounts = {mount["name"]: mount["mountPath"] for mount in container(workload)["volumeMounts"]}
    for volume in pod(workload)["volumes"]:
        for source in volume.get("projected", {}).get("sources", []):
            for item in source["secret"]["items"]:
                yield source["secret"]["name"], item["key"], f"{mounts[volume['name']]}/{item['path']}"
