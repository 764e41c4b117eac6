"""What has to be known before the pools are locked: in which pools the batch will move money."""

from collections.abc import Sequence
from typing import Final

import msgspec

from contracts.policy import Policy
from disbursement import statements
from disbursement.book import Book
from disbursement.needs import Needs
from disbursement.questions import Questions, Row, columns_of

_MOST_KNOWN: Final = 1_000
# What policies say, by scheme, version and the transaction that wrote them. They never change, and are large.
_known_policies: dict[tuple[str, str, int], Policy] = {}


async def find(asking: Questions, wanted: Needs) -> None:
    """Find the scheme and pool of what is named by its id; they never change."""

    def found(places: Sequence[Row]) -> None:
        wanted.schemes.update(scheme for scheme, _ in places)
        wanted.pools.update({pool for _, pool in places} - {None})

    for statement, ids in (
        (statements.PLACES_OF_PAYMENTS, wanted.payments),
        (statements.PLACES_OF_RECOVERIES, wanted.recoveries),
        (statements.PLACES_OF_AWARDS, wanted.awards),
    ):
        if ids:
            asking.ask(statement, found, ids=list(ids))
    if wanted.lines:
        schemes, years = columns_of(wanted.lines)
        asking.ask(
            statements.POOLS_OF_LINES,
            lambda rows: wanted.pools.update(pool for (pool,) in rows),
            schemes=schemes,
            years=years,
        )
    await asking.answers()


async def load_policies(asking: Questions, book: Book, wanted: Needs) -> None:
    """Load all versions of the schemes spoken of: they are few, and a policy.published has to find its own.

    Where money may be freed, those who wait for it may be of any scheme.
    """
    places: list[tuple[str, str, int]] = []
    if wanted.frees or wanted.every_pool:
        asking.ask(statements.VERSIONS, places.extend)
    elif schemes := wanted.schemes | wanted.draws:
        asking.ask(statements.VERSIONS_OF_SCHEMES, places.extend, schemes=list(schemes))
    await asking.answers()
    await _learn_policies(asking, places)
    for place in places:
        policy = book.policies[place[:2]] = _known_policies[place]
        if policy.scheme in wanted.draws and policy.pool:
            wanted.pools.add(policy.pool)


async def _learn_policies(asking: Questions, places: list[tuple[str, str, int]]) -> None:
    """Read the policies that this process has not met yet; most batches speak of the same few."""
    unknown = [place for place in places if place not in _known_policies]
    if not unknown:
        return
    if len(_known_policies) >= _MOST_KNOWN:
        _known_policies.clear()
        unknown = places
    schemes, versions, _ = columns_of(unknown)
    documents: list[Row] = []
    asking.ask(statements.POLICIES, documents.extend, schemes=schemes, versions=versions)
    await asking.answers()
    found = {(scheme, version): document for scheme, version, document in documents}
    for place in unknown:
        _known_policies[place] = msgspec.json.decode(found[place[:2]], type=Policy)
