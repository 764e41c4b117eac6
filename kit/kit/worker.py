"""Wires a service's worker: the consumer that feeds its handlers, and the relay that publishes its outbox."""

import os
import socket
from collections.abc import Callable, Iterable

from contracts.events import Event
from kit.batch import Handler
from kit.consumer import Consumer
from kit.http import Trouble
from kit.redrive import Redrive
from kit.relay import Relay
from kit.service import Service


class Worker:
    """The consumer and relay of this process, if its roles include ``worker``; otherwise nothing.

    ``group`` is the consumer group, the service's name unless given. ``relays`` is false for a service that
    writes no events. ``committed`` is called after each batch, for loops that go on with what it stored.
    """

    def __init__(
        self,
        service: Service,
        *,
        events: Iterable[type[Event]],
        handle: Handler,
        group: str | None = None,
        relays: bool = True,
        committed: Callable[[], None] = lambda: None,
    ) -> None:
        settings = service.settings
        group = group or service.name
        self._committed = committed
        self._relay: Relay | None = None
        self.redrive = Redrive(service.database, group=group, handle=handle, committed=self._batch_committed)
        self.trouble: dict[str, Trouble] = {"service": service.trouble}
        if "worker" not in settings.roles:
            return
        if relays:
            self._add_relay(service)
        consumer = Consumer(
            service.database,
            settings.kafka_bootstrap,
            group=group,
            events=events,
            handle=handle,
            max_batch_events=settings.consumer_max_batch_events,
            committed=self._batch_committed,
        )
        service.add_loop("consumer", consumer.run)
        service.add_loop("redrive", self.redrive.run)
        self.trouble["consumer"] = lambda: consumer.trouble

    def _add_relay(self, service: Service) -> None:
        settings = service.settings
        relay = self._relay = Relay(
            service.database,
            settings.kafka_bootstrap,
            source=service.name,
            holder=f"{socket.gethostname()}:{os.getpid()}",
            poll_seconds=settings.relay_poll_seconds,
            lease_seconds=settings.relay_lease_seconds,
        )
        service.add_loop("relay", relay.run)
        self.trouble["relay"] = lambda: relay.trouble

    def _batch_committed(self) -> None:
        self.wake_relay()
        self._committed()

    def wake_relay(self) -> None:
        """Say that something was committed to the outbox; another process's relay finds it by itself."""
        if self._relay is not None:
            self._relay.wake()
