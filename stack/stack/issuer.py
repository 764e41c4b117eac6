"""You are at the local issuer of access tokens: keys in the data directory, tokens signed with them on request.

    issuer/signing.json   the one private key, readable by its owner only
    issuer/jwks.json      the public keys, the older ones too; the registers' process serves this file

It stands for the city's identity provider and asks nobody who they are: whoever can read the key can be anyone.
The library that signs takes 0.2 s to import, so that is done where it is needed.
"""

import fcntl
import getpass
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from stack.home import Home, write_private
from stack.ports import LOOPBACK

URL: Final = "https://issuer.drawdown.invalid"
"""Its name, the `iss` of its tokens. Not an address: a token outlives the ports of the stack that it was made for."""
AUDIENCE: Final = "drawdown"
ALGORITHM: Final = "ES256"
JWKS_PATH: Final = "/.well-known/jwks.json"
AN_HOUR: Final = timedelta(hours=1)


def create_keys(home: Home) -> None:
    """Make the first key where there is none."""
    with _alone(home):
        if not (home.signing_key_file.exists() and home.jwks_file.exists()):
            _add_key(home)


def rotate_keys(home: Home) -> None:
    """Sign with a new key from now on; tokens that were signed with an older one stay valid until they expire."""
    with _alone(home):
        _add_key(home)


def settings(registers_port: int) -> dict[str, str]:
    """Return what a service is told so that it believes this issuer, without the service's prefix."""
    return {
        "ACCESS_ISSUER": URL,
        "ACCESS_JWKS_URL": f"http://{LOOPBACK}:{registers_port}{JWKS_PATH}",
        "ACCESS_AUDIENCE": AUDIENCE,
    }


def at_hand(home: Home, scope: str) -> dict[str, str]:
    """Return the header with which a command calls: DRAWDOWN_TOKEN, or a token of the local stack, if there is one."""
    token = os.environ.get("DRAWDOWN_TOKEN")
    if token is None and home.signing_key_file.exists():
        token = mint(
            home,
            subject=os.environ.get("DRAWDOWN_WHO") or getpass.getuser(),
            scopes=[scope],
            client=client_for([scope]),
        )
    return {"authorization": f"Bearer {token}"} if token else {}


def client_for(scopes: Iterable[str]) -> str:
    """Return the program that a token with these scopes is most often for: what a portal sends belongs to it."""
    return "portal" if "portal" in scopes else "drawdown"


def mint(
    home: Home,
    *,
    subject: str,
    scopes: Iterable[str],
    client: str = "drawdown",
    lifetime: timedelta = AN_HOUR,
    now: datetime | None = None,
) -> str:
    """Return a signed access token (RFC 9068), valid from `now`, which is the present unless a test says otherwise."""
    from joserfc import jwt  # noqa: PLC0415  # see the module's docstring
    from joserfc.jwk import ECKey  # noqa: PLC0415

    create_keys(home)
    key = ECKey.import_key(json.loads(home.signing_key_file.read_text()))
    issued = now or datetime.now(UTC)
    claims = {
        "iss": URL,
        "aud": AUDIENCE,
        "sub": subject,
        "client_id": client,
        "scope": " ".join(scopes),
        "jti": str(uuid4()),
        "iat": issued,
        "nbf": issued,
        "exp": issued + lifetime,
    }
    return jwt.encode({"alg": ALGORITHM, "typ": "at+jwt", "kid": key.kid}, claims, key, algorithms=[ALGORITHM])


def _add_key(home: Home) -> None:
    """The public half is written first: a token whose key nobody can look up would be refused."""
    from joserfc.jwk import ECKey  # noqa: PLC0415

    key = ECKey.generate_key("P-256", {"use": "sig", "alg": ALGORITHM}, auto_kid=True)
    draft = home.jwks_file.with_suffix(".new")
    draft.write_text(json.dumps({"keys": [*_public_keys(home), key.as_dict(private=False)]}, indent=2))
    draft.replace(home.jwks_file)
    write_private(home.signing_key_file, json.dumps(key.as_dict(private=True), indent=2))


def _public_keys(home: Home) -> list[dict[str, Any]]:
    if not home.jwks_file.exists():
        return []
    keys: list[dict[str, Any]] = json.loads(home.jwks_file.read_text())["keys"]
    return keys


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    """Two commands at once would each write the key set without the other's key."""
    home.issuer.mkdir(mode=0o700, exist_ok=True)
    with (home.issuer / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
