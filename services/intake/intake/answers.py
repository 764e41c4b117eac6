"""The answer to a write: the whole state of the application, with its version as the ETag."""

import msgspec

from intake import persons, views
from intake.desk import Desk
from intake.records import Application
from kit.idempotency import Answer


def whole(desk: Desk, application: Application, status: int, *, location: str | None = None) -> Answer:
    """Return the answer that shows an application as it is now, to the client that sent it."""
    claims = [claim for claim in desk.claims.values() if claim.application_id == application.application_id]
    headers = {"etag": f'"{application.version}"'} | ({"location": location} if location else {})
    contact = persons.contact_of(desk.keyring, application.application_id, application.body["applicant"])
    return Answer(status, msgspec.json.encode(views.application(application, claims, contact)), headers)
