"""No webhook leads into a private network, however its address is written or its name is resolved."""

import asyncio
import ipaddress
import socket
from typing import Any

import pytest

from intake.push.guard import Guard, RefusedAddressError, UnknownHostError, is_public, networks_of
from intake.push.posting import Poster
from intake.push.schemas import NewWebhook
from tests.intake.push.receiver import Receiver

PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",  # carriers' NAT
    "169.254.169.254",  # where clouds keep credentials
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",  # NAT64 of 127.0.0.1
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",  # 6to4 of 127.0.0.1
    "2002:a00:1::",
    "3fff::1",
    "5f00::1",
    "100::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%lo",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]
PUBLIC = ["1.1.1.1", "223.5.5.5", "172.32.0.1", "2400:3200::1", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::"]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public_is_refused(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_is_let_through(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "https://localhost/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:7f00:1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://169.254.169.254/latest/meta-data/",
        "http://1.1.1.1/",
    ],
)
async def test_no_spelling_gets_past(url: str) -> None:
    with pytest.raises(RefusedAddressError):
        await Guard().check(NewWebhook(url=url).url)


@pytest.mark.parametrize(
    "url",
    ["ftp://example.com/", "https://user:secret@example.com/", "https://example.com/#x", "file:///etc"],
)
def test_a_url_of_another_kind_is_not_valid(url: str) -> None:
    with pytest.raises(ValueError, match=r"url|URL|user|fragment"):
        NewWebhook(url=url)


async def test_a_network_may_be_allowed_and_by_http_then() -> None:
    guard = Guard(networks_of(["127.0.0.0/8"]))
    await guard.check("http://127.0.0.1:8080/")
    await guard.check("https://[::ffff:7f00:1]/")
    for refused in ("http://10.0.0.1/", "https://10.0.0.1/", "http://1.1.1.1/"):
        with pytest.raises(RefusedAddressError):
            await guard.check(refused)


async def test_a_name_that_stands_for_nothing_is_told_apart() -> None:
    with pytest.raises(UnknownHostError):
        await Guard().check("https://nowhere.invalid/")


async def test_one_private_address_among_public_ones_refuses_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    _answers(monkeypatch, [["1.1.1.1", "10.0.0.1"]])
    with pytest.raises(RefusedAddressError):
        await Guard().check("https://mixed.example/")


async def test_a_name_that_changes_its_mind_is_asked_once_and_connected_to_what_was_checked(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    """DNS rebinding: the second answer would lead elsewhere. Nobody asks a second time."""
    asked = _answers(monkeypatch, [["127.0.0.1"], ["10.0.0.1"]])
    poster = Poster(Guard(networks_of(["127.0.0.1/32"])), seconds=5)
    url = receiver.url.replace("127.0.0.1", "rebinding.example")
    body = b'{"type":"webhook.test","data":{}}'
    first = await poster.post(url, {"webhook-id": "1"}, body)
    assert (first.status, first.error) == (204, None)
    assert receiver.calls[0].headers["host"].startswith("rebinding.example:")
    await poster.close()  # and with it the connection, which could have been used again
    again = Poster(Guard(networks_of(["127.0.0.1/32"])), seconds=5)
    assert (await again.post(url, {"webhook-id": "2"}, body)).error == "address_refused"
    assert asked == ["rebinding.example"] * 2
    assert len(receiver.calls) == 1
    await again.close()


def _answers(monkeypatch: pytest.MonkeyPatch, answers: list[list[str]]) -> list[str]:
    """Let names resolve to these, one answer after the other; return whom it was asked for."""
    loop, asked = asyncio.get_running_loop(), list[str]()
    ask = loop.getaddrinfo

    async def resolve(host: Any, port: Any, **more: Any) -> list[Any]:
        if not str(host).endswith(".example"):
            return await ask(host, port, **more)
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers[len(asked) - 1]]

    monkeypatch.setattr(loop, "getaddrinfo", resolve)
    return asked


async def test_an_endless_answer_is_not_read_to_its_end(unused_port: int) -> None:
    """What is read of an answer is bounded; that it answered is what counts."""
    sent = 0

    async def drone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"{}")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
                sent += 4096
                await writer.drain()
        except ConnectionError:
            writer.close()

    async with await asyncio.start_server(drone, "127.0.0.1", unused_port):
        poster = Poster(Guard(networks_of(["127.0.0.0/8"])), seconds=5)
        reply = await poster.post(f"http://127.0.0.1:{unused_port}/", {}, b"{}")
        await poster.close()
    assert reply.status == 200
    assert reply.seconds < 4
    assert sent < 20_000_000
