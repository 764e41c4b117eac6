"""Wires what is pushed: the hub where HTTP is answered, the loops that post to webhooks where the worker runs."""

from datetime import timedelta

from intake.push import api
from intake.push.addressing import Addressing
from intake.push.commands import Command, apply
from intake.push.guard import Guard, networks_of
from intake.push.hub import Hub
from intake.push.keeping import Keeper
from intake.push.posting import Poster
from intake.push.sender import Sender
from intake.push.stream import Manner
from intake.settings import Settings
from kit.access import Access
from kit.groups import GroupedWriter
from kit.service import Service


def add(service: Service, settings: Settings, access: Access) -> api.Parts:
    """Add the loops to the service; return what its routes need."""
    database = service.database
    hub = Hub(
        database,
        poll_seconds=settings.events_poll_seconds,
        most_streams=settings.events_streams,
        most_per_client=settings.events_streams_per_client,
        draining=lambda: service.draining,
    )
    service.add_loop("push_hub", hub.run)
    writer: GroupedWriter[Command] = GroupedWriter(database, apply, max_queue_size=200)
    service.add_loop("push_writer", writer.run)
    guard = Guard(networks_of(settings.webhook_allowed_networks))
    if "worker" in settings.roles:
        _add_webhooks(service, settings, guard)
    manner = Manner(heartbeat_seconds=settings.events_heartbeat_seconds, most_seconds=settings.events_stream_seconds)
    return api.Parts(service.callers, writer, hub, guard, access, manner)


def _add_webhooks(service: Service, settings: Settings, guard: Guard) -> None:
    database, seconds = service.database, settings.webhook_call_seconds
    poster = Poster(guard, seconds=seconds, most_connections=settings.webhook_calls)
    sender = Sender(database, poster, most_at_once=settings.webhook_calls, call_seconds=seconds)
    addressing = Addressing(database, addressed=sender.wake)
    keeper = Keeper(database, timedelta(days=settings.events_retention_days))
    service.add_loop("push_addressing", addressing.run)
    service.add_loop("push_sender", sender.run)
    service.add_loop("push_keeper", keeper.run)
