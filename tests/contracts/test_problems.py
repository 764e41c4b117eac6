"""Every code that the source raises is described, with its statuses; nothing is described that nobody raises.

The codes are read from the syntax trees. Where a function builds a refusal of a code that it was handed, its callers
are read; a code that can't be told that way fails the test.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from contracts.generate import ROOT, problems
from contracts.generate.services import problems as catalogues

DEFAULT_STATUS = 409  # of contracts.refusal.Refusal
SOURCES = {"kit": ROOT / "kit" / "kit"} | {
    name: ROOT / "services" / name / name for name in ("intake", "eligibility", "disbursement", "metrics")
}
RAISERS = {"Refusal": 0, "problem": 2}  # which argument is the code
STATUS_OF = {"problem": 1}


@dataclass
class Forwarder:
    """A function that builds a refusal of what it was handed: which argument, put into which template."""

    position: int
    template: str
    statuses: set[int]


@dataclass
class Found:
    codes: dict[str, set[int]] = field(default_factory=dict)
    unclear: list[str] = field(default_factory=list)

    def add(self, code: str, statuses: set[int]) -> None:
        self.codes.setdefault(code, set()).update(statuses)


class Reader:
    """Reads all modules of one package."""

    def __init__(self, package: Path) -> None:
        self.trees = {path: ast.parse(path.read_text("utf-8")) for path in sorted(package.rglob("*.py"))}
        self.forwarders: dict[str, Forwarder] = {}
        self.found = Found()

    def read(self) -> Found:
        known = -1
        while known != len(self.forwarders):  # a forwarder may be called by another one
            known = len(self.forwarders)
            self.found = Found()
            for path, tree in self.trees.items():
                for call, function in _calls(tree):
                    self._call(path, call, function)
        return self.found

    def _call(self, path: Path, call: ast.Call, function: ast.FunctionDef | ast.AsyncFunctionDef | None) -> None:
        name = _name(call.func)
        known = _place(path, name)
        if name in RAISERS and len(call.args) > RAISERS[name]:
            argument, template = call.args[RAISERS[name]], "{}"
            statuses = _statuses(call, STATUS_OF.get(name))
        elif known in self.forwarders and len(call.args) > self.forwarders[known].position:
            forwarder = self.forwarders[known]
            argument, template = call.args[forwarder.position], forwarder.template
            statuses = _statuses(call, None) if "status" in {one.arg for one in call.keywords} else forwarder.statuses
        else:
            return
        self._take(path, call, function, argument, template, statuses)

    def _take(
        self,
        path: Path,
        call: ast.Call,
        function: ast.FunctionDef | ast.AsyncFunctionDef | None,
        argument: ast.expr,
        template: str,
        statuses: set[int],
    ) -> None:
        match argument:
            case ast.Constant(value=str(code)):
                self.found.add(template.format(code), statuses)
            case ast.Name(id=name) if function and name in _parameters(function):
                position = _parameters(function).index(name)
                self.forwarders[_place(path, function.name)] = Forwarder(position, template, statuses)
            case ast.JoinedStr(values=[ast.FormattedValue(value=ast.Name(id=name)), ast.Constant(value=str(rest))]) if (
                function and name in _parameters(function)
            ):
                position = _parameters(function).index(name)
                self.forwarders[_place(path, function.name)] = Forwarder(position, "{}" + rest, statuses)
            case _ if not _is_reraised(argument):
                self.found.unclear.append(f"{path.relative_to(ROOT)}:{call.lineno}: {ast.unparse(call)[:80]}")


def _place(path: Path, name: str) -> str:
    """Return what tells a function from others of its name: a private one belongs to its module."""
    return f"{path}:{name}" if name.startswith("_") else name


def _is_reraised(argument: ast.expr) -> bool:
    """Whether it is the code of a refusal that was raised elsewhere, or one of kit's table from status to code."""
    return ast.unparse(argument) in {"error.code", "refusal.code", "code"}


def _calls(tree: ast.AST) -> Iterator[tuple[ast.Call, ast.FunctionDef | ast.AsyncFunctionDef | None]]:
    def visit(
        node: ast.AST, function: ast.FunctionDef | ast.AsyncFunctionDef | None
    ) -> Iterator[tuple[ast.Call, ast.FunctionDef | ast.AsyncFunctionDef | None]]:
        for child in ast.iter_child_nodes(node):
            inner = child if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
            if isinstance(child, ast.Call):
                yield child, function
            yield from visit(child, inner)

    yield from visit(tree, None)


def _name(called: ast.expr) -> str:
    return called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    return [one.arg for one in function.args.args if one.arg not in ("self", "cls")]


def _statuses(call: ast.Call, position: int | None) -> set[int]:
    given = next((one.value for one in call.keywords if one.arg == "status"), None)
    if given is None and position is not None:
        given = call.args[position]
    if given is None:
        return {DEFAULT_STATUS}
    return {each.value for each in ast.walk(given) if isinstance(each, ast.Constant) and isinstance(each.value, int)}


@pytest.fixture(scope="module")
def read() -> dict[str, Found]:
    return {name: Reader(path).read() for name, path in SOURCES.items()}


@pytest.mark.parametrize("package", SOURCES)
def test_every_code_that_is_raised_is_described(read: dict[str, Found], package: str) -> None:
    known = catalogues()[package] | catalogues()["kit"]

    assert read[package].unclear == []
    assert set(read[package].codes) - known.keys() == set()


# Kit answers these from its table of what the framework itself refuses.
BY_FRAMEWORK = {"malformed_request", "not_found", "method_not_allowed"}


@pytest.mark.parametrize("package", SOURCES)
def test_nothing_is_described_that_nobody_raises(read: dict[str, Found], package: str) -> None:
    raised = read[package].codes.keys() | (BY_FRAMEWORK if package == "kit" else set())

    assert catalogues()[package].keys() - raised == set()


@pytest.mark.parametrize("package", SOURCES)
def test_the_statuses_are_those_that_are_raised(read: dict[str, Found], package: str) -> None:
    raised = {code: found for code, found in read[package].codes.items() if found and code in catalogues()[package]}

    assert raised == {code: set(catalogues()[package][code].status) for code in raised}


@pytest.mark.parametrize("package", SOURCES)
def test_titles_are_short_and_texts_say_what_to_do(package: str) -> None:
    for code, one in catalogues()[package].items():
        assert len(one.title.en) <= 50, code
        assert not one.title.en.endswith("."), code
        assert all(text.en.endswith(".") for text in (one.meaning, one.cause, one.cure)), code
        assert all(text.zh.endswith("。") for text in (one.meaning, one.cause, one.cure)), code


def test_the_page_has_them_all() -> None:
    page = problems.text()

    for catalogue in catalogues().values():
        for code, one in catalogue.items():
            assert f"### {code}" in page
            assert one.cure.zh in page
