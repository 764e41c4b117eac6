"""Which migration the code needs, read from the files themselves: Alembic takes most of a second to import."""

import ast
from importlib.util import find_spec
from pathlib import Path

from kit.errors import SetupError


def directory(service: str) -> Path:
    """Return where a service's migrations lie: inside its package, so that a wheel carries them."""
    spec = find_spec(service)
    if spec is None or spec.origin is None:
        raise SetupError(f"the service {service} is not installed")
    return Path(spec.origin).parent / "migrations"


def head(service: str) -> str:
    """Return the one revision that no other one follows; raise SetupError when there are none or several."""
    followed_by = {}
    for path in sorted((directory(service) / "versions").glob("[0-9]*.py")):
        names = _assignments(path)
        followed_by[names["revision"]] = names["down_revision"]
    heads = sorted(followed_by.keys() - set(followed_by.values()), key=str)
    if len(heads) != 1:
        raise SetupError(f"the migrations of {service} have {len(heads)} heads ({heads}): one must follow the other")
    return str(heads[0])


def _assignments(path: Path) -> dict[str, object]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and _is_literal(node.value)
    }


def _is_literal(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant)
