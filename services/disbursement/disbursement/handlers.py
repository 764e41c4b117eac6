"""What happens here when something has happened elsewhere: one function per event, applied to the batch's book.

The functions are plain and synchronous: everything they may need was loaded (``loading``), and what they change is
stored when all events of the batch have been applied.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.events import (
    AccountRejected,
    AccountVerified,
    ApplicationApproved,
    ApplicationReassessed,
    ApplicationWithdrawn,
    ClaimVerified,
    Event,
    PaymentReturned,
    PaymentSettled,
    PolicyPublished,
    RecoveryReceived,
)
from contracts.topics import TOPIC_OF, event_type
from disbursement import loading, meters, needs, store
from disbursement.awards import on_application_approved, on_application_withdrawn
from disbursement.book import Book
from disbursement.claims import on_claim_verified
from disbursement.corrections import on_application_reassessed
from disbursement.payments import on_payment_returned, on_payment_settled
from disbursement.records import Report
from disbursement.recoveries import on_recovery_received
from disbursement.verifications import on_account_rejected, on_account_verified
from kit.identifiers import uuid7
from kit.messages import Message
from kit.outbox import Announcements


async def handle(connection: AsyncConnection, messages: Sequence[Message], now: datetime) -> Announcements:
    """Apply a batch: load the book under the pools' locks, apply each event in order, store the book."""
    book = await loading.load(connection, needs.of_events(message.data for message in messages), now)
    for message in messages:
        book.said.traceparent = message.traceparent
        SUBSCRIPTIONS[type(message.data)](book, message.data, message)
    store.store(connection, book)
    meters.count(book)
    return book.said


def hear(book: Book, event: PaymentSettled | PaymentReturned) -> Report:
    """Handle what the bank did to a payment as if its event had come from Kafka; return the report as it was kept."""
    topic, traceparent = TOPIC_OF[type(event)].name, book.said.traceparent
    message = Message(
        uuid7(), event_type(type(event)), book.now, str(event.payment_id), topic, -1, -1, traceparent, event
    )
    SUBSCRIPTIONS[type(event)](book, event, message)
    return book.reports[event.payment_id][-1]


def on_policy_published(book: Book, event: PolicyPublished, _message: Message) -> None:
    """Keep the policy: rates, caps, envelopes and validity come from it."""
    if (event.scheme, event.policy_version) not in book.policies:
        book.new_policies.append(event.policy)


SUBSCRIPTIONS: Final[dict[type[Event], Callable[[Book, Any, Message], None]]] = {
    PolicyPublished: on_policy_published,
    ApplicationApproved: on_application_approved,
    ApplicationReassessed: on_application_reassessed,
    ApplicationWithdrawn: on_application_withdrawn,
    ClaimVerified: on_claim_verified,
    PaymentSettled: on_payment_settled,
    PaymentReturned: on_payment_returned,
    AccountVerified: on_account_verified,
    AccountRejected: on_account_rejected,
    RecoveryReceived: on_recovery_received,
}
