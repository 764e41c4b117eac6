"""Wires a service's worker: the consumer that feeds its handlers, and the relay that publishes its outbox."""

import os
import socket
from collections.abc import Callable, Iterable

from contracts.events import Event
from contracts.topics import topics_with
from kit.batch import Handler
from kit.consumer import Consumer
from kit.http import Trouble
from kit.kafka import Fetch
from kit.lag import Lags
from kit.liveness import Liveness
from kit.outbox import Announcements
from kit.redrive import Redrive
from kit.relay import Relay
from kit.service import Service


class Worker:
    """The consumer and relay of this process, if its roles include ``worker``; otherwise nothing.

    ``group`` is the consumer group, the service's name unless given. ``committed`` is called after each batch with
    what it says, for loops that go on with what it stored. ``handle_redriven`` handles what is redriven, where that is
    not the same. ``redrive`` and ``lags`` are there whatever the roles: they are asked by HTTP.
    """

    def __init__(
        self,
        service: Service,
        *,
        events: Iterable[type[Event]],
        handle: Handler,
        handle_redriven: Handler | None = None,
        group: str | None = None,
        committed: Callable[[Announcements], None] = lambda _: None,
    ) -> None:
        settings = service.settings
        events = list(events)
        group = group or service.name
        self._committed = committed
        self._relay: Relay | None = None
        self._consumer: Consumer | None = None
        self._liveness: Liveness | None = None
        self.lags = Lags(
            service.database,
            settings.brokers,
            group=group,
            topics=topics_with(events),
            blocked=lambda: self._consumer.blocked() if self._consumer else {},
        )
        self.redrive = Redrive(
            service.database, group=group, handle=handle_redriven or handle, committed=self._redriven
        )
        self.trouble: dict[str, Trouble] = {"service": service.trouble}
        if "worker" not in settings.roles:
            return
        self._add_relay(service)
        liveness = self._liveness = Liveness(self.lags, settings.stuck_after_seconds)
        consumer = self._consumer = Consumer(
            service.database,
            settings.brokers,
            group=group,
            events=events,
            handle=handle,
            max_batch_events=settings.consumer_max_batch_events,
            pace_seconds=settings.consumer_pace_seconds,
            patience_seconds=settings.consumer_patience_seconds,
            fetch=Fetch(settings.consumer_fetch_min_bytes, settings.consumer_fetch_wait_seconds),
            committed=self._batch_committed,
            progressed=liveness.progressed,
            dead_letters=f"{service.name}.dead-letters",
        )
        service.add_loop("consumer", consumer.run)
        service.add_loop("redrive", self.redrive.run)
        service.add_loop("liveness", liveness.run)
        self.trouble["consumer"] = lambda: consumer.trouble

    def stuck(self) -> str | None:
        """Say why this process has to be started again, for its liveness."""
        return self._liveness.stuck if self._liveness else None

    def _add_relay(self, service: Service) -> None:
        settings = service.settings
        relay = self._relay = Relay(
            service.database,
            settings.brokers,
            source=service.name,
            holder=f"{socket.gethostname()}:{os.getpid()}",
            poll_seconds=settings.relay_poll_seconds,
            pace_seconds=settings.relay_pace_seconds,
            patience_seconds=settings.consumer_patience_seconds,
            lease_seconds=settings.relay_lease_seconds,
        )
        service.add_loop("relay", relay.run, stops_last=True)
        self.trouble["relay"] = lambda: relay.trouble

    def _batch_committed(self, said: Announcements) -> None:
        self.wake_relay(said)
        self._committed(said)

    def _redriven(self) -> None:
        self.wake_relay()
        self._committed(Announcements())

    def wake_relay(self, said: Announcements | None = None) -> None:
        """Say that something was committed to the outbox; another process's relay finds it by itself."""
        if self._relay is not None:
            self._relay.wake(hurried=said is None or said.hurried)
