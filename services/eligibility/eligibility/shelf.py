"""The published policies in this process's memory, compiled once per version."""

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from contracts.policy import Policy
from eligibility.expressions import compile_policy
from eligibility.rules import Rulebook
from kit.errors import PermanentError

VersionKey = tuple[str, str]


class Shelf:
    """Rulebooks by scheme and version. A published version never changes, so nothing here grows old."""

    def __init__(self) -> None:
        self._rulebooks: dict[VersionKey, Rulebook] = {}

    def lacking(self, wanted: Iterable[VersionKey]) -> list[str]:
        """Return the schemes, sorted, of which a wanted version is not here: their policies have to be read."""
        return sorted({scheme for scheme, version in wanted if (scheme, version) not in self._rulebooks})

    def put(self, policies: Iterable[Policy]) -> None:
        """Compile what is new."""
        for policy in policies:
            if (policy.scheme, policy.version) not in self._rulebooks:
                self._rulebooks[policy.scheme, policy.version] = compile_policy(policy)

    def find(self, scheme: str, version: str, at: datetime) -> Rulebook:
        """Return this version; where it is not recorded, the recorded one in force at the time.

        Raises PermanentError when nothing is recorded of the scheme.
        """
        rulebook = self._rulebooks.get((scheme, version))
        if rulebook is not None:
            return rulebook
        others = [book for (name, _), book in self._rulebooks.items() if name == scheme]
        if not others:
            raise PermanentError(f"no policy is published for the scheme {scheme!r}")
        return max(others, key=lambda book: (_in_force(book.policy, at), book.policy.effective_from))


def _in_force(policy: Policy, at: datetime) -> bool:
    return policy.effective_from <= at.astimezone(ZoneInfo(policy.timezone)).date() <= policy.effective_until
