"""Reads the policy documents: YAML to typed policies, with errors that name file, line, field, reason and cure."""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import yaml
from jsonschema import Draft202012Validator, SchemaError, ValidationError

from contracts.codec import to_builtins
from contracts.policy import POSSIBLE_STEPS, Policy
from eligibility import expressions
from eligibility.marks import Marks, whereabouts
from kit.errors import SetupError

NOT_A_SCHEME: Final = "programme.yaml"
Complaint = tuple[str, str]
"""A place in the document, as in ``$.criteria[2].expression``, and what is wrong there."""


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
    published = [document.policy for document in documents if document.policy.status == "published"]
    for document in documents:
        if document.policy.status == "published" and (said := overlap(document.policy, published)):
            raise SetupError(f"{document.name}: {said}")
    return sorted(documents, key=lambda document: (document.policy.effective_from, document.policy.scheme))


def read_document(path: Path) -> Document:
    """Return one document. Raises SetupError when it can't be read or says what a policy can't say."""
    try:
        written = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"{path}: {error}") from error
    return parse_document(path.name, written)


def parse_document(name: str, written: str) -> Document:
    """Return the document that a text (YAML, or JSON, which is YAML) says; ``name`` stands in its errors."""
    try:
        said = yaml.load(written, Loader=_Loader)  # noqa: S506  # a safe loader, see below
        marks = Marks(written)
    except yaml.YAMLError as error:
        raise SetupError(f"{name}: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise SetupError(f"{name}: it is nested too deep") from error
    try:
        policy = msgspec.convert(said, Policy)
    except msgspec.ValidationError as error:
        place, words = whereabouts(said, error, Policy)
        raise SetupError(f"{name}:{marks.at(place)}: {place}: {words}") from error
    for place, words in (
        *_unknown_fields(said, to_builtins(policy)),
        *_complaints(policy),
        *_form_complaints(policy),
        *expressions.complaints(policy),
    ):
        raise SetupError(f"{name}:{marks.at(place)}: {place}: {words}")
    canonical = msgspec.json.encode(said, order="deterministic")
    if rb"\u0000" in canonical:
        raise SetupError(f"{name}: a text holds the character U+0000, which can't be stored: take it out")
    return Document(name, policy, sha256(canonical).hexdigest())


def overlap(policy: Policy, others: Iterable[Policy]) -> str | None:
    """Return what is wrong when another published version of the scheme is in force at the same time, else None.

    A correction within a period is possible: the later version names in ``replaces`` the one that it takes over from,
    and is in force from its own first day on.
    """
    for other in others:
        if other.scheme != policy.scheme or other.version == policy.version:
            continue
        together = policy.effective_from <= other.effective_until and other.effective_from <= policy.effective_until
        later, earlier = (policy, other) if policy.effective_from > other.effective_from else (other, policy)
        ordered = later.effective_from > earlier.effective_from and later.replaces == earlier.version
        if together and not ordered:
            return (
                f"$.effective_from: version {other.version} of {policy.scheme} is in force from {other.effective_from} "
                f"until {other.effective_until}, which overlaps: end one before the other begins, or let the later "
                "one begin later and name the earlier in `replaces`"
            )
    return None


def _unknown_fields(written: Any, understood: Any, path: str = "$") -> Iterator[Complaint]:
    """Name each field that was written and not understood: a misspelt rule must not be a rule that is not there."""
    if isinstance(written, dict) and isinstance(understood, dict):
        for name, value in written.items():
            if name not in understood:
                near = get_close_matches(str(name), understood, n=1)
                hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(sorted(understood))}"
                yield f"{path}.{name}", f"there is no such field{hint}"
            else:
                yield from _unknown_fields(value, understood[name], f"{path}.{name}")
    elif isinstance(written, list) and isinstance(understood, list | tuple):
        for place, (value, known) in enumerate(zip(written, understood, strict=True)):
            yield from _unknown_fields(value, known, f"{path}[{place}]")


def _complaints(policy: Policy) -> Iterator[Complaint]:
    """Say what the types alone can't."""
    try:
        ZoneInfo(policy.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        yield "$.timezone", f"{policy.timezone!r} is not known; as in Asia/Shanghai"
    if policy.effective_from > policy.effective_until:
        yield "$.effective_until", "is before effective_from"
    for place, window in enumerate(policy.windows):
        if window.opens_at >= window.closes_at:
            yield f"$.windows[{place}]", "closes before it opens"
    if policy.pool is None and policy.kind != "accreditation":
        yield "$.pool", "only an accreditation is drawn from none"
    if policy.validity_months < 1:
        yield "$.validity_months", "at least 1"
    for list_name, ids in (
        ("criteria", [criterion.id for criterion in policy.criteria]),
        ("tiers", [tier.id for tier in policy.tiers]),
        ("claims.parts", [part.id for part in policy.claims.parts]),
    ):
        for name, count in Counter(ids).items():
            if count > 1:
                yield f"$.{list_name}", f"{count} are called {name}"
    for name, deadline in msgspec.structs.asdict(policy.clocks).items():
        if deadline.within <= timedelta(0):
            yield f"$.clocks.{name}.within", "more than nothing"
        if deadline.then not in POSSIBLE_STEPS[name]:
            yield f"$.clocks.{name}.then", f"one of {', '.join(sorted(POSSIBLE_STEPS[name]))}"
    yield from _support_complaints(policy)


def _support_complaints(policy: Policy) -> Iterator[Complaint]:
    """Say what in the rules of support and of claims contradicts itself."""
    for place, tier in enumerate(policy.tiers[:-1]):
        if tier.when is None:
            yield f"$.tiers[{place + 1}]", f"is never reached: {tier.id} before it has no `when` and holds always"
    claims = policy.claims
    if policy.contract == "none" and claims.seller_is_provider:
        yield "$.claims.seller_is_provider", "there is no contract whose provider could be the seller: false"
    if policy.contract == "none" and claims.statement == "confirmed":
        yield "$.claims.statement", "there is no contract whose provider could confirm it: uploaded"
    if claims.statement != "none" and not claims.usage_required:
        yield "$.claims.usage_required", "a statement is of a period of use, which has to be named: true"
    if policy.contract == "none" and policy.stack_limit is not None:
        yield "$.stack_limit", "is a share of the contract, and no contract is asked for"
    if (claims.basis == "parts") != bool(claims.parts):
        yield "$.claims.parts", "belong to the basis `parts`, and are needed there"
    if claims.basis != "invoices" and claims.seller_is_provider:
        yield "$.claims.seller_is_provider", f"only invoices have a seller, not the basis `{claims.basis}`: false"
    asked = policy.ranking
    if asked is not None and asked.threshold > asked.scale:
        yield "$.ranking.threshold", f"is above the scale of {asked.scale}: nothing could be funded"
    if asked is not None and policy.review.route == "persons":
        yield "$.review.route", "a call is decided by its panel: automatic"
    for place, part in enumerate(claims.parts):
        if part.times > 1 and not part.monthly:
            yield f"$.claims.parts[{place}].times", "only a monthly part is claimed more than once"


def _form_complaints(policy: Policy) -> Iterator[Complaint]:
    """Say what is wrong with the form: it has to be a JSON Schema, and its first example an answer to it."""
    try:
        Draft202012Validator.check_schema(policy.form)
    except SchemaError as error:
        yield "".join(["$.form", *(f".{one}" for one in error.absolute_path)]), error.message
        return
    examples = policy.form.get("examples")
    if examples is None and policy.form.get("required"):
        yield "$.form", "needs `examples` with one answer: the expressions are tried on it"
    for place, example in enumerate(examples or []):
        try:
            Draft202012Validator(policy.form).validate(example)
        except ValidationError as error:
            yield f"$.form.examples[{place}]", error.message


class _Loader(yaml.SafeLoader):
    """The safe loader, but a key that stands twice is an error: one of the two would silently win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value]
        for name, count in Counter(keys).items():
            if count > 1:
                mark = node.start_mark
                raise yaml.YAMLError(f"line {mark.line + 1}: {name} stands {count} times in one mapping")
        return super().construct_mapping(node, deep)
