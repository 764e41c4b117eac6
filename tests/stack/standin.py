"""A service of twenty lines, for tests of the machinery around the services.

`run` answers /health/ready and shows its environment, `migrate` leaves a mark. INTAKE_FAILS makes intake fail.
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path in ("/health/ready", "/environment") else 404)
        self.end_headers()
        self.wfile.write(json.dumps(dict(os.environ)).encode())

    def log_message(self, *_: object) -> None:
        pass


def main(name: str) -> None:
    failing = os.environ.get(f"{name.upper()}_FAILS")
    if failing == sys.argv[1]:
        sys.exit(f"{name} was told to fail")
    if sys.argv[1] == "migrate":
        Path(f"migrated-{name}").write_text(os.environ[f"{name.upper()}_MIGRATION_DATABASE_URL"])
    else:
        HTTPServer(("127.0.0.1", int(os.environ[f"{name.upper()}_HTTP_PORT"])), Answer).serve_forever()
