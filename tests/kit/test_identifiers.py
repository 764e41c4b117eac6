"""Identifiers: whole UUIDs, like those of the standard library, in the order in which they were made."""

import copy
import pickle
import time
from uuid import RFC_4122, UUID

from kit.identifiers import uuid7


def test_an_identifier_is_a_uuid_of_version_7_made_now() -> None:
    before, made, after = time.time_ns(), uuid7(), time.time_ns()
    assert (isinstance(made, UUID), made.version, made.variant) == (True, 7, RFC_4122)
    assert before // 1_000_000 <= made.int >> 80 <= after // 1_000_000


def test_an_identifier_is_read_copied_and_pickled_like_any_uuid() -> None:
    made = uuid7()
    for same in (UUID(str(made)), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert (same, hash(same), same.is_safe) == (made, hash(made), made.is_safe)


def test_identifiers_sort_in_the_order_in_which_they_were_made() -> None:
    made = [uuid7() for _ in range(10_000)]
    assert made == sorted(set(made))
