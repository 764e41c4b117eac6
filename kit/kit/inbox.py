"""The inbox: which events were handled before. What a relay or a redrive sends twice has its effect once."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kit.messages import Message

_ADD: Final = text(
    """
    INSERT INTO inbox (event_id) SELECT unnest(CAST(:ids AS uuid[])) ON CONFLICT DO NOTHING RETURNING event_id
    """
)


async def unseen(connection: AsyncConnection, messages: Sequence[Message]) -> list[Message]:
    """Note the messages as handled in this transaction; return those that never were, each once, in order."""
    if not messages:
        return []
    rows = await connection.execute(_ADD, {"ids": sorted({message.id for message in messages})})
    fresh = set(rows.scalars())
    first_of = {message.id: message for message in reversed(messages)}
    return [message for message in messages if message.id in fresh and first_of[message.id] is message]
