"""How connections to PostgreSQL are made, and how soon a dead one is noticed and let go.

| what happened | who notices | when |
|---|---|---|
| PostgreSQL was killed, or ended the connection | the pool, before it lends it | at once; no caller hears of it |
| its host or the network is gone | the kernel: nothing is acknowledged | after 9 s |
| the other end acknowledges and says nothing | the client, by its own clock | a moment after ``statement_timeout`` |

Whoever gives up on a connection closes it. A rollback on a connection that did not answer would wait as long again.
"""

import socket
from typing import Any, Final

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine import Engine, ExceptionContext
from sqlalchemy.exc import DisconnectionError

# PostgreSQL gives up on a statement first, if it can still say so: then the connection is kept.
_MARGIN_SECONDS: Final = 1.0
_KEPT_STATEMENTS: Final = 400
# Probes after 3 s of silence, one every 2 s, three of them; the same 9 s for what was sent and not acknowledged.
_PROBES: Final = {"TCP_KEEPIDLE": 3, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 9_000}
_SERVERS_PROBES: Final = {
    "tcp_keepalives_idle": "3",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "9000",
}


def connect_arguments(name: str, *, connect_seconds: float, statement_seconds: float) -> dict[str, Any]:
    """Return what asyncpg needs beside the address. ``name`` is what PostgreSQL shows of the connection."""
    return {
        "timeout": connect_seconds,
        "command_timeout": statement_seconds + _MARGIN_SECONDS,
        "connection_class": _WatchedConnection,
        "statement_cache_size": _KEPT_STATEMENTS,
        "max_cacheable_statement_size": 0,  # any: what is gathered into one statement is long
        "server_settings": {
            "application_name": name,
            "statement_timeout": str(int(statement_seconds * 1000)),
            "idle_in_transaction_session_timeout": "60000",
            "client_connection_check_interval": "2000",  # the locks of a process that was killed go with it
            **_SERVERS_PROBES,  # and those of a host that is gone
            "jit": "off",  # statements here are short; compiling them costs more than it saves
        },
    }


def let_go_of_the_dead(engine: Engine) -> None:
    """Have an engine lend no connection that is closed, and close one that did not answer in time."""
    event.listen(engine, "checkout", _lend_no_closed)
    event.listen(engine, "handle_error", _close_silent)


class _WatchedConnection(asyncpg.Connection):
    """A connection whose other end is asked by the kernel whether it is still there."""

    def __init__(self, protocol: Any, transport: Any, *rest: Any) -> None:
        super().__init__(protocol, transport, *rest)
        end = transport.get_extra_info("socket")
        if end is None or end.family not in (socket.AF_INET, socket.AF_INET6):
            return
        end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _PROBES.items():
            if hasattr(socket, name):  # not every system has all of them
                end.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _lend_no_closed(connection: Any, _record: Any, _proxy: Any) -> None:
    """Cost nothing: asyncpg knows when its socket was closed. The pool then makes a new connection."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def _close_silent(context: ExceptionContext) -> None:
    if context.connection is None or not isinstance(context.original_exception, TimeoutError):
        return
    if driver := context.connection.connection.driver_connection:
        driver.terminate()  # without a goodbye, which would be waited for
    context.is_disconnect = True
    context.invalidate_pool_on_disconnect = False  # the others may be well
