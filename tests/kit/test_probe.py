"""The health check of a container, against a server that answers."""

import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from stack.ports import free_ports


class _Health(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        busy = getattr(self.server, "busy", False)
        self.send_response(404 if self.path != "/health/ready" else 503 if busy else 200)
        self.end_headers()
        self.wfile.write(b'{"status":"not ready","missing":{"service":"PostgreSQL"}}')

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), _Health) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def probe(port: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kit.probe", "library"]
    return subprocess.run(command, env={"LIBRARY_HTTP_PORT": str(port)}, capture_output=True, text=True, check=False)


def test_a_ready_service_is_healthy(server: HTTPServer) -> None:
    assert probe(server.server_port).returncode == 0


def test_a_service_that_is_not_ready_is_not_and_says_why(server: HTTPServer) -> None:
    server.busy = True  # type: ignore[attr-defined]
    found = probe(server.server_port)
    assert found.returncode == 1
    assert "PostgreSQL" in found.stdout


def test_a_service_that_does_not_answer_is_not() -> None:
    [port] = free_ports(1)
    found = probe(port)
    assert found.returncode == 1
    assert f"does not answer on port {port}" in found.stdout
