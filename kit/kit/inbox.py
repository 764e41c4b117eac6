"""The inbox: which events were handled before. What a relay or a redrive sends twice has its effect once."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from kit.driver import fetch
from kit.messages import Message

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


async def unseen(connection: AsyncConnection, messages: Sequence[Message]) -> list[Message]:
    """Note the messages as handled in this transaction; return those that never were, each once, in order."""
    if not messages:
        return []
    first_of = {message.id: message for message in reversed(messages)}
    some = await fetch(connection, _ADD, sorted(first_of, key=_NUMBER))
    if not some and len(first_of) == len(messages):
        return list(messages)
    fresh = set(some[0][0] or ()) if some else first_of.keys()
    return [message for message in messages if message.id in fresh and first_of[message.id] is message]
