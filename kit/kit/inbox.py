"""The inbox: which events were handled before. What a relay or a redrive sends twice has its effect once."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kit.messages import Message

# One order for all, so that two batches with the same ids can't wait for each other. (UUIDs compare as fast as Python
# code does; their numbers compare faster.)
_NUMBER: Final = attrgetter("int")

# One row comes back, not one for each event: their ids only where some of them were there already.
_ADD: Final = text(
    """
    WITH added AS (
      INSERT INTO inbox (event_id) SELECT unnest(CAST(:ids AS uuid[])) ON CONFLICT DO NOTHING RETURNING event_id
    )
    SELECT array_agg(event_id) FROM added HAVING count(*) < cardinality(CAST(:ids AS uuid[]))
    """
)


async def unseen(connection: AsyncConnection, messages: Sequence[Message]) -> list[Message]:
    """Note the messages as handled in this transaction; return those that never were, each once, in order."""
    if not messages:
        return []
    first_of = {message.id: message for message in reversed(messages)}
    some = (await connection.execute(_ADD, {"ids": sorted(first_of, key=_NUMBER)})).one_or_none()
    if some is None and len(first_of) == len(messages):
        return list(messages)
    fresh = first_of.keys() if some is None else set(some[0] or ())
    return [message for message in messages if message.id in fresh and first_of[message.id] is message]
