"""The issuer of tokens: the local stack's keys, the public ones served over HTTP as a city's issuer does."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from stack import issuer
from stack.home import Home

_LIFETIME = timedelta(hours=12)


@contextmanager
def serving(home: Home) -> Iterator[dict[str, str]]:
    """Serve the public keys; give the settings, without their prefix, of a service that believes this issuer."""
    issuer.create_keys(home)
    keys = home.jwks_file.read_bytes()

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(keys)))
            self.end_headers()
            self.wfile.write(keys)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield {
        "ACCESS_ISSUER": issuer.URL,
        "ACCESS_JWKS_URL": f"http://127.0.0.1:{server.server_port}/keys",
        "ACCESS_AUDIENCE": issuer.AUDIENCE,
        "ACCESS_ALGORITHM": issuer.ALGORITHM,
    }
    server.shutdown()
    server.server_close()


def token(home: Home, client: str = "portal", scope: str = "portal") -> str:
    """Return an access token of a portal."""
    return issuer.mint(home, subject=client, scopes=[scope], client=client, lifetime=_LIFETIME)
