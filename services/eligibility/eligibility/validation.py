"""`python -m eligibility validate PATH...`: checks policy documents where nothing runs."""

import sys
from collections.abc import Iterable
from pathlib import Path

from eligibility.policies import NOT_A_SCHEME, Document, overlap, read_document
from kit.errors import SetupError


def validate(given: Iterable[str]) -> int:
    """Print each document that is right and what is wrong with the others; answer 1 when one is wrong."""
    right: list[Document] = []
    wrong = 0
    for path in _paths(given):
        try:
            right.append(read_document(path))
        except SetupError as error:
            wrong += 1
            _complain(str(error))
    published = [one.policy for one in right if one.policy.status == "published"]
    for one in right:
        said = overlap(one.policy, published) if one.policy.status == "published" else None
        wrong += said is not None
        if said:
            _complain(f"{one.name}: {said}")
        else:
            sys.stdout.write(f"{one.name}: {one.policy.scheme} {one.policy.version}, {one.policy.status}, is right\n")
    if not right and not wrong:
        _complain("no documents there: name files, or directories with *.yaml in them")
        return 1
    return 1 if wrong else 0


def _paths(given: Iterable[str]) -> Iterable[Path]:
    for name in given:
        path = Path(name)
        if path.is_dir():
            yield from sorted(one for one in path.glob("*.yaml") if one.name != NOT_A_SCHEME)
        else:
            yield path


def _complain(said: str) -> None:
    sys.stderr.write(f"{said}\n")
