"""Reads the policy documents: YAML files to typed policies, with errors that name the file and the field."""

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import yaml

from contracts.codec import to_builtins
from contracts.policy import POSSIBLE_STEPS, Policy
from eligibility import expressions
from kit.errors import SetupError

NOT_A_SCHEME: Final = "programme.yaml"


@dataclass(frozen=True, slots=True)
class Document:
    """A policy with the hash of what was written, which tells whether a published version was changed.

    The hash is taken of the document and not of ``policy``: a field that a later release adds to the type must not
    look like a change of the text.
    """

    name: str
    policy: Policy
    content_hash: str


def read_documents(directory: Path) -> list[Document]:
    """Return all policy documents of a directory, drafts too, in the order of their effect.

    Raises SetupError, in one line with file and field, for the first document that is not right.
    """
    if not directory.is_dir():
        raise SetupError(f"{directory} is no directory: it has to hold the policy documents")
    paths = sorted(path for path in directory.glob("*.yaml") if path.name != NOT_A_SCHEME)
    documents = [read_document(path) for path in paths]
    versions = Counter((document.policy.scheme, document.policy.version) for document in documents)
    for (scheme, version), count in versions.items():
        if count > 1:
            raise SetupError(f"{directory}: {count} documents say that they are {scheme} {version}")
    return sorted(documents, key=lambda document: (document.policy.effective_from, document.policy.scheme))


def read_document(path: Path) -> Document:
    """Return one document. Raises SetupError when it can't be read or says what a policy can't say."""
    try:
        written = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506  # a safe loader, see below
        policy = msgspec.convert(written, Policy)
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"{path}: {error}") from error
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise SetupError(f"{path.name}: {' '.join(str(error).split())}") from error
    for said in (*_unknown_fields(written, to_builtins(policy)), *_complaints(policy), *expressions.complaints(policy)):
        raise SetupError(f"{path.name}: {said}")
    canonical = msgspec.json.encode(written, order="deterministic")
    return Document(path.name, policy, sha256(canonical).hexdigest())


def _unknown_fields(written: Any, understood: Any, path: str = "$") -> Iterable[str]:
    """Name each field that was written and not understood: a misspelt rule must not be a rule that is not there."""
    if isinstance(written, dict) and isinstance(understood, dict):
        for name, value in written.items():
            if name not in understood:
                yield f"{path}.{name}: there is no such field"
            else:
                yield from _unknown_fields(value, understood[name], f"{path}.{name}")
    elif isinstance(written, list) and isinstance(understood, list | tuple):
        for place, (value, known) in enumerate(zip(written, understood, strict=True)):
            yield from _unknown_fields(value, known, f"{path}[{place}]")


def _complaints(policy: Policy) -> Iterable[str]:
    """Say what the types alone can't."""
    try:
        ZoneInfo(policy.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        yield f"timezone: {policy.timezone!r} is not known"
    if policy.effective_from > policy.effective_until:
        yield "effective_until: is before effective_from"
    for place, window in enumerate(policy.windows):
        if window.opens_at >= window.closes_at:
            yield f"windows[{place}]: closes before it opens"
    if policy.pool is None and policy.kind != "accreditation":
        yield "pool: only an accreditation is drawn from none"
    if policy.validity_months < 1:
        yield "validity_months: at least 1"
    for name, count in Counter(criterion.id for criterion in policy.criteria).items():
        if count > 1:
            yield f"criteria: {count} are called {name}"
    for name, deadline in msgspec.structs.asdict(policy.clocks).items():
        if deadline.within <= timedelta(0):
            yield f"clocks.{name}.within: more than nothing"
        if deadline.then not in POSSIBLE_STEPS[name]:
            yield f"clocks.{name}.then: one of {', '.join(sorted(POSSIBLE_STEPS[name]))}"


class _Loader(yaml.SafeLoader):
    """The safe loader, but a key that stands twice is an error: one of the two would silently win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value]
        for name, count in Counter(keys).items():
            if count > 1:
                mark = node.start_mark
                raise yaml.YAMLError(f"line {mark.line + 1}: {name} stands {count} times in one mapping")
        return super().construct_mapping(node, deep)
