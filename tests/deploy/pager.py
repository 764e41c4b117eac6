"""Who is called by Alertmanager: a web server that keeps what it was told, and by which receiver."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from stack.ports import LOOPBACK
from tests.deploy.watching import PROMETHEUS, read

_GROUP_WAIT: Final = "1s"


class Call(msgspec.Struct, frozen=True):
    """One alert of one call: to whom, whether it began or is over, and what it says of itself."""

    receiver: str
    status: str
    labels: dict[str, str]
    annotations: dict[str, str]

    @property
    def about(self) -> tuple[str, str]:
        return self.labels["alertname"], self.labels.get("service", "")


class Pager:
    """Listens until it is closed."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        pager = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = msgspec.json.decode(self.rfile.read(int(self.headers["content-length"])))
                pager.calls += [
                    Call(body["receiver"], alert["status"], alert["labels"], alert["annotations"])
                    for alert in body["alerts"]
                ]
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing: the calls are kept."""

        self.server = ThreadingHTTPServer((LOOPBACK, 0), Handler)

    def about(self, status: str) -> set[tuple[str, str]]:
        """Return what it was told, by the alert's name and its service."""
        return {call.about for call in self.calls if call.status == status}


@contextmanager
def listening() -> Iterator[Pager]:
    pager = Pager()
    serving = threading.Thread(target=pager.server.serve_forever)
    serving.start()
    try:
        yield pager
    finally:
        pager.server.shutdown()
        pager.server.server_close()
        serving.join()


def hurried(folder: Path, pager: Pager) -> Path:
    """Write our Alertmanager's configuration, the pager behind every receiver and hardly a wait; return its file."""
    configuration: dict[str, Any] = read(PROMETHEUS / "alertmanager.yml")
    url = f"http://{LOOPBACK}:{pager.server.server_port}/"
    for receiver in configuration["receivers"]:
        receiver["webhook_configs"] = [{"url": url, "send_resolved": True}]
    for route in (configuration["route"], *configuration["route"]["routes"]):
        route |= {"group_wait": _GROUP_WAIT, "group_interval": _GROUP_WAIT}
    found = folder / "alertmanager.yml"
    found.write_text(yaml.safe_dump(configuration), encoding="utf-8")
    return found
