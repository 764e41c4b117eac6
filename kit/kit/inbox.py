"""The inbox: which events were handled before. What a relay or a redrive sends twice has its effect once."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from kit import offsets
from kit.driver import fetch
from kit.messages import Message
from kit.offsets import Portions

# One order for all, so that two batches with the same ids can't wait for each other. (UUIDs compare as fast as Python
# code does; their numbers compare faster.)
_NUMBER: Final = attrgetter("int")

# One row comes back, not one for each event: their ids only where some of them were there already.
_ADD: Final = """
WITH added AS (
  INSERT INTO inbox (event_id) SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING RETURNING event_id
)
SELECT array_agg(event_id) FROM added HAVING count(*) < cardinality($1::uuid[])
"""
_TAKE_AND_ADD: Final = f"""
WITH {offsets.TAKEN}, added AS (
  INSERT INTO inbox (event_id) SELECT unnest($7::uuid[]) ON CONFLICT DO NOTHING RETURNING event_id
)
SELECT now(), (SELECT count(*) FROM taken), (SELECT count(*) FROM added) < cardinality($7::uuid[]),
  CASE WHEN (SELECT count(*) FROM added) < cardinality($7::uuid[]) THEN ARRAY(SELECT event_id FROM added) END
"""  # noqa: S608  # a constant


async def take_unseen(
    connection: AsyncConnection, group: str, batch: Portions, messages: Sequence[Message]
) -> tuple[datetime, list[Message]]:
    """Do what ``offsets.take`` and ``unseen`` do, in one round trip: the offsets are locked first."""
    first_of = _first_of(messages)
    ids = sorted(first_of, key=_NUMBER)
    [[now, count, some, fresh]] = await fetch(connection, _TAKE_AND_ADD, *offsets.values_of(group, batch), ids)
    await offsets.check_taken(connection, group, batch, count)
    return now, _fresh(messages, first_of, fresh if some else None)


async def unseen(connection: AsyncConnection, messages: Sequence[Message]) -> list[Message]:
    """Note the messages as handled in this transaction; return those that never were, each once, in order."""
    if not messages:
        return []
    first_of = _first_of(messages)
    some = await fetch(connection, _ADD, sorted(first_of, key=_NUMBER))
    return _fresh(messages, first_of, some[0][0] or () if some else None)


def _first_of(messages: Sequence[Message]) -> dict[UUID, Message]:
    return {message.id: message for message in reversed(messages)}


def _fresh(
    messages: Sequence[Message], first_of: Mapping[UUID, Message], added: Collection[UUID] | None
) -> list[Message]:
    """Return the messages that were added, each once, in order; None stands for all."""
    if added is None and len(first_of) == len(messages):
        return list(messages)
    fresh = first_of.keys() if added is None else set(added)
    return [message for message in messages if message.id in fresh and first_of[message.id] is message]
