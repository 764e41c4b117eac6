"""Writes rules.yaml: the rules of deploy/prometheus as the Prometheus operator takes them. `--check` only compares.

.venv/bin/python deploy/k8s/components/monitoring/generate.py
"""

import sys
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
RULES = HERE.parents[2] / "prometheus" / "rules"
TARGET = HERE / "rules.yaml"


def generated() -> str:
    """Return the text of rules.yaml: one PrometheusRule for each file, in the order of their names."""
    objects = [_object(path) for path in sorted(RULES.glob("*.y*ml"))]
    head = "# Generated from deploy/prometheus/rules by generate.py beside this file. Change the rules there.\n"
    return head + yaml.safe_dump_all(objects, sort_keys=False, allow_unicode=True, width=120)


def _object(path: Path) -> dict[str, Any]:
    metadata = {"name": path.stem, "labels": {"app.kubernetes.io/part-of": "drawdown"}}
    groups = yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": metadata,
        "spec": {"groups": groups},
    }


if __name__ == "__main__":
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(generated(), encoding="utf-8")
    elif not TARGET.exists() or TARGET.read_text(encoding="utf-8") != generated():
        sys.exit(f"{TARGET} is not what deploy/prometheus/rules says: run {Path(__file__).name} without --check")
