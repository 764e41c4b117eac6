"""`python -m kit.probe SERVICE`: is the service that runs in this container ready? For HEALTHCHECK, without a shell.

Only the standard library: it runs every few seconds, and importing the service would cost more than the question.
"""

import os
import sys
from http.client import HTTPConnection
from typing import Final

_SECONDS: Final = 3.0


def main(service: str) -> int:
    """Return 0 if the service answers that it is ready, else 1, and print what it said."""
    port = int(os.environ[f"{service.upper()}_HTTP_PORT"])
    try:
        connection = HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        said = answer.read().decode("utf-8", "replace")
    except OSError as error:
        sys.stdout.write(f"{service} does not answer on port {port}: {error}\n")
        return 1
    sys.stdout.write(said + "\n")
    return 0 if answer.status == 200 else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m kit.probe SERVICE")
    sys.exit(main(sys.argv[1]))
