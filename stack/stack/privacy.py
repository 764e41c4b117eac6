"""You are behind `drawdown privacy`: what the services hold of one applicant, exported or erased; the keys it is under.

Metrics is not asked: it holds nothing that names a company. `docs/reference/personal-data.md` says what is where.
"""

import getpass
import hashlib
import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from stack import events, issuer, keyring
from stack.errors import StackError
from stack.home import Home

HOLDERS: Final = ("intake", "eligibility", "disbursement")
ASK_SECONDS: Final = 120.0
POLL_SECONDS: Final = 0.5
MOST_COUNTED: Final = 10_000  # as many rows as a service counts

Item = dict[str, Any]

NOT_INCLUDED: Final = [
    "the outboxes (7 days) and the answers kept for repeated requests (8 days): copies of what is here",
    "the Kafka topics and the backups of the databases: copies of what is here",
    "the bytes of documents: GET /v1/documents/{document_id}/content of intake",
    "files of payments, which hold many companies' orders to the bank: payment_file_entries names them",
    "metrics: it holds nothing by company",
]


def export(home: Home, applicant: str, why: str) -> Item:
    """All that is held of one applicant. Raises StackError when a service can't be asked: then nothing is complete."""
    body = {"applicant": applicant, "why": why}
    parts = {service: _ask(home, service, "export", body, "auditor") for service in HOLDERS}
    tables = {service: part["tables"] for service, part in parts.items()}
    manifest = {
        "applicant": applicant,
        "made_at": datetime.now(UTC).isoformat(),
        "why": why,
        "services": {service: _listed(parts[service]) for service in HOLDERS},
        "not_included": NOT_INCLUDED,
    }
    return {"manifest": manifest, **tables}


def _listed(part: Item) -> Item:
    said = json.dumps(part["tables"], ensure_ascii=False, sort_keys=True).encode()
    rows = {table: len(found) for table, found in part["tables"].items()}
    return {"at": part["at"], "rows": rows, "sha256": hashlib.sha256(said).hexdigest()}


def erase(home: Home, applicant: str, *, by: str, why: str, dry_run: bool) -> list[Item]:
    """Erase one applicant in all services, or find out what that would do.

    All are asked first, and nothing is erased while anything is open anywhere. Raises StackError when a service can't
    be asked. What was broken off is done again in the same way: what was erased before is left.
    """
    found = [_erase(home, service, applicant, by, why, dry_run=True) for service in HOLDERS]
    if dry_run:
        return found
    if matters := [f"{part['service']}: {matter}" for part in found for matter in part["open"]]:
        raise StackError(f"something is not finished, and nothing was erased: {'; '.join(matters)}")
    return [_erase(home, service, applicant, by, why, dry_run=False) for service in reversed(HOLDERS)]


def _erase(home: Home, service: str, applicant: str, by: str, why: str, *, dry_run: bool) -> Item:
    body = {"applicant": applicant, "why": why, "dry_run": dry_run}
    return {"service": service, **_ask(home, service, "erasure", body, "ops", by)}


# --- keys ---------------------------------------------------------------------------------------------------------


def keys(home: Home) -> list[Item]:
    """Where each key is used; a key of None is what stands in clear."""
    found = []
    for service in HOLDERS:
        answer = _ask(home, service, "keys", None, "ops")
        uses = answer["items"]
        for key_id in answer["key_ids"]:
            mine = [use for use in uses if use["key_id"] == key_id]
            found += [{"service": service, **use} for use in mine] or [_unused(service, key_id)]
        found += [{"service": service, **use} for use in uses if use["key_id"] is None]
    return found


def _unused(service: str, key_id: str) -> Item:
    return {"service": service, "table": None, "key_id": key_id, "rows": 0}


def rotate(home: Home, seconds: float, tell: Callable[[str], None]) -> list[Item]:
    """Seal with a new key from now on, and wait until the databases have none of the others; answer what is used.

    Copies that are gone within days (outbox, answers) are not waited for.
    """
    newest, *others = keyring.rotate(home)
    deadline = time.monotonic() + seconds
    while True:
        found = keys(home)
        left = [use for use in found if _is_left(use, newest)]
        known = {use["service"] for use in found if use["key_id"] == newest}
        if known == set(HOLDERS) and not left:
            return found
        if time.monotonic() > deadline:
            rows = sum(use["rows"] for use in left)
            raise StackError(f"after {seconds:.0f} s {rows} rows are not under {newest} yet: drawdown privacy keys")
        tell(f"{sum(use['rows'] for use in left)} rows left of {', '.join(others)}")
        time.sleep(POLL_SECONDS)


def _is_left(use: Item, newest: str) -> bool:
    return use["key_id"] != newest and use["rows"] > 0 and use["table"] not in ("outbox", "idempotency")


def drop_key(home: Home, key_id: str) -> list[Item]:
    """Destroy a key that no database needs any more; what is sealed under it in topics and backups is lost for good.

    Raises StackError while it is used.
    """
    used = [use for use in keys(home) if use["key_id"] == key_id and use["rows"]]
    if used:
        places = ", ".join(f"{use['service']}.{use['table']} ({use['rows']})" for use in used)
        raise StackError(f"{key_id} is still used: {places}. Outboxes and answers are gone after 8 days")
    keyring.drop(home, key_id)
    return keys(home)


# --- calls ----------------------------------------------------------------------------------------------------------


def _ask(home: Home, service: str, what: str, body: Item | None, scope: str, by: str | None = None) -> Any:
    url = f"{events.address(home, service)}/admin/privacy/{what}"
    headers = {"accept-language": "en", **_token(home, scope, by)}
    try:
        with httpx.Client(trust_env=False, timeout=ASK_SECONDS, headers=headers) as client:
            answer = client.get(url) if body is None else client.post(url, json=body)
    except httpx.HTTPError as error:
        raise StackError(f"{service} does not answer at {url} ({error}): drawdown status") from error
    if answer.is_error:
        raise StackError(f"{service}: {events.detail(answer)}")
    return answer.json()


def _token(home: Home, scope: str, by: str | None) -> dict[str, str]:
    """DRAWDOWN_TOKEN, or one of the local issuer in the name of whoever does it."""
    if os.environ.get("DRAWDOWN_TOKEN") or not home.signing_key_file.exists():
        return issuer.at_hand(home, scope)
    token = issuer.mint(home, subject=by or getpass.getuser(), scopes=[scope], client=issuer.client_for([scope]))
    return {"authorization": f"Bearer {token}"}
