"""Which addresses a webhook may lead to: public ones, by https; others only where an operator allows their network.

A name is resolved here, all of its addresses are looked at, and the connection goes to the very address that passed:
a name that means something else a moment later changes nothing.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Final
from urllib.parse import urlsplit

import httpcore

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_RESOLVE_SECONDS: Final = 5.0
_MOST_ADDRESSES: Final = 8
# What `ipaddress` counts as global, and leads into a network of one's own or to nobody in particular.
_NEVER: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.88.99.0/24",  # 6to4 relays, withdrawn (RFC 7526)
        "64:ff9b:1::/48",  # NAT64 of one's own choice (RFC 8215)
        "2001::/32",  # Teredo: the address inside is scrambled (RFC 4380)
        "5f00::/16",  # segment routing (RFC 9602)
        "3fff::/20",  # documentation (RFC 9637)
    )
)
_UNICAST: Final = ipaddress.ip_network("2000::/3")
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052


class RefusedAddressError(Exception):
    """Nothing may be sent there. The message says why, without the address, which is nobody's business."""


class UnknownHostError(Exception):
    """The name can't be resolved now."""


def is_public(address: Address) -> bool:
    """Return whether an address is one of the public internet, whatever it is written as."""
    if isinstance(address, IPv6Address) and (inner := _inside(address)) is not None:
        return is_public(inner)
    if any(address in network for network in _NEVER):
        return False
    if isinstance(address, IPv6Address) and address not in _UNICAST:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _inside(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that a translator would make of this one: mapped, NAT64 or 6to4."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def networks_of(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return networks by their texts, such as ``10.1.0.0/16``; raise ValueError where one is none."""
    return tuple(ipaddress.ip_network(text) for text in texts)


class Guard:
    """Says where calls may go. ``allowed`` are networks that are let through though not public, by http too."""

    def __init__(self, allowed: Sequence[Network] = ()) -> None:
        self._allowed = allowed

    async def check(self, url: str) -> None:
        """Raise RefusedAddressError or UnknownHostError unless a call to this URL would be let through now."""
        parts = urlsplit(url)
        assert parts.hostname, "the shape was checked before"
        port = parts.port or (443 if parts.scheme == "https" else 80)
        await self.addresses(parts.hostname, port, encrypted=parts.scheme == "https")

    async def addresses(self, host: str, port: int, *, encrypted: bool) -> list[str]:
        """Return the addresses of a host. One of them that is refused refuses them all."""
        found = await _resolve(host, port)
        for address in found:
            if not self._lets_through(address, encrypted=encrypted):
                raise RefusedAddressError(
                    "it leads to an address that is not public" if encrypted else "only https is allowed there"
                )
        return [str(address) for address in found]

    def _lets_through(self, address: Address, *, encrypted: bool) -> bool:
        real = _inside(address) or address if isinstance(address, IPv6Address) else address
        if any(real in network for network in self._allowed):
            return True
        return encrypted and is_public(address)


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Connections to addresses that passed the guard just now, and to no other."""

    def __init__(self, guard: Guard, *, encrypted: bool) -> None:
        self._guard = guard
        self._encrypted = encrypted
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # the interface has it
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failed: Exception = httpcore.ConnectError("no address")
        for address in await self._guard.addresses(host, port, encrypted=self._encrypted):
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109  # the interface has it
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise RefusedAddressError("a socket of this machine")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def _resolve(host: str, port: int) -> list[Address]:
    loop = asyncio.get_running_loop()
    try:
        found = await asyncio.wait_for(loop.getaddrinfo(host, port, type=socket.SOCK_STREAM), _RESOLVE_SECONDS)
    except (OSError, UnicodeError, TimeoutError) as error:
        raise UnknownHostError("its name can't be resolved") from error
    addresses = dict.fromkeys(ipaddress.ip_address(str(entry[4][0])) for entry in found)
    if not addresses or len(addresses) > _MOST_ADDRESSES:
        raise UnknownHostError("its name stands for no address, or for too many")
    return list(addresses)
