"""A service of twenty lines: `standin.py run NAME` answers /health/ready, `standin.py migrate NAME` leaves a mark.

It refuses a second login, as each service has to work with its own only.
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path in ("/health/ready", "/env") else 404)
        self.end_headers()
        self.wfile.write(json.dumps(dict(os.environ)).encode())

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    verb, name = sys.argv[1:]
    if verb == "migrate":
        if "MIGRATION_FAILS" in os.environ:
            sys.exit("the migration failed: relation is there already")
        Path(f"migrated-{name}").touch()
    else:
        HTTPServer(("127.0.0.1", int(os.environ[f"{name.upper()}_HTTP_PORT"])), Answer).serve_forever()
