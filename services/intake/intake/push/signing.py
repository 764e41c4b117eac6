"""Secrets of webhooks, and signatures by them (Standard Webhooks, v1: HMAC-SHA256 over id, time and body)."""

import base64
import secrets
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from standardwebhooks import Webhook as Signer

from intake.push.records import Webhook
from kit.sealing import Keyring, is_sealed

_PREFIX: Final = "whsec_"
_BYTES: Final = 32


def new_secret() -> str:
    """Return a new secret as its client gets it: once."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def sealed(keyring: Keyring, webhook_id: UUID, secret: str) -> str:
    """Return a secret as it is stored."""
    return keyring.seal(secret.encode(), _about(webhook_id)) if keyring.seals else secret


def opened(keyring: Keyring, webhook_id: UUID, stored: str) -> str:
    """Return the secret that was stored. Raises SealedError."""
    return keyring.open(stored, _about(webhook_id)).decode() if is_sealed(stored.encode()) else stored


def resealed(keyring: Keyring, webhook_id: UUID, stored: str) -> str:
    """Return a stored secret under the keyring's first key."""
    return sealed(keyring, webhook_id, opened(keyring, webhook_id, stored))


def _about(webhook_id: UUID) -> str:
    return f"webhook:{webhook_id}"


def headers(keyring: Keyring, webhook: Webhook, message_id: str, body: bytes, now: datetime) -> dict[str, str]:
    """Return the three headers of a call. While a replaced secret is still good, there is a signature by each."""
    good = [webhook.secret]
    if webhook.previous_secret and webhook.previous_secret_until and now < webhook.previous_secret_until:
        good.append(webhook.previous_secret)
    moment, said = now.astimezone(UTC), body.decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(
            Signer(opened(keyring, webhook.webhook_id, secret)).sign(message_id, moment, said) for secret in good
        ),
    }
