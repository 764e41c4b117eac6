"""The working set of a batch or group: loaded under the applications' locks, changed in memory, stored at the end."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Select, Table, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.codec import to_builtins
from contracts.events import Event
from contracts.policy import Policy
from intake import rules, tables, waits
from intake.push import telling
from intake.push.records import NewPush
from intake.push.tables import pushes
from intake.records import Application, Claim, Document, Happening
from kit.among import among_given, pairs_among_given
from kit.driver import Prepared, execute, fetch
from kit.outbox import Announcements
from kit.rows import Writes, rows_of
from kit.sealing import Keyring

InvoiceKey = tuple[str, str]

# One round trip for both: each policy's place with the transaction that wrote it, and as many new numbers, without one.
_POLICIES_AND_NUMBERS: Final = """
SELECT scheme, version, xmin::text::bigint AS written_by_or_number FROM policies
UNION ALL SELECT NULL, NULL, nextval('application_number_seq') FROM generate_series(1, $1)
"""
_POLICY: Final = "SELECT policy FROM policies WHERE scheme = $1 AND version = $2"
_RELEASE: Final = "DELETE FROM invoices WHERE claim_id = ANY($1)"
_MOST_KNOWN: Final = 1_000
_KEYS: Final = {Application: "application_id", Claim: "claim_id"}
# What policies say, by scheme, version and the transaction that wrote them. They never change, and are large.
_known_policies: dict[tuple[str, str, int], Policy] = {}


def _of(table: Table, kind: type[msgspec.Struct], condition: ColumnElement[bool]) -> Select[Any]:
    """Return the query of a table's rows, with the fields of their record."""
    return select(*[table.c[name] for name in kind.__struct_fields__]).where(condition)


_application, _claim, _document = tables.applications.c, tables.claims.c, tables.documents.c
_invoice = tables.invoices.c
_BY_ID: Final = among_given(_application.application_id, "application_ids")
_BY_AWARD: Final = among_given(_application.award_id, "award_ids")
_APPLICATIONS, _APPLICATIONS_BY_EITHER = (
    Prepared(_of(tables.applications, Application, named).order_by(_application.application_id).with_for_update())
    for named in (_BY_ID, or_(_BY_ID, _BY_AWARD))
)
_CLAIMS: Final = Prepared(_of(tables.claims, Claim, among_given(_claim.claim_id, "claim_ids")))
_CLAIMS_OF: Final = Prepared(
    _of(tables.claims, Claim, among_given(_claim.application_id, "application_ids")).order_by(_claim.claim_id)
)
_INVOICES: Final = Prepared(
    select(tables.invoices).where(pairs_among_given([_invoice.seller, _invoice.number], ["sellers", "numbers"]))
)
_DOCUMENTS_READ: Final = _of(tables.documents, Document, among_given(_document.document_id, "document_ids")).order_by(
    _document.document_id
)
_DOCUMENTS: Final = Prepared(_DOCUMENTS_READ)
_DOCUMENTS_TO_CHANGE: Final = Prepared(_DOCUMENTS_READ.with_for_update())


class Desk:
    """Applications and claims on the desk, with what is to be said and stored about them."""

    def __init__(self, now: datetime, keyring: Keyring) -> None:
        self.now = now
        self.keyring = keyring
        self.said = Announcements()
        self.client = ""
        """Who asks: set for each command. What another client sent is not there for it."""
        self.policies: dict[str, dict[str, Policy]] = {}
        self.new_policies: list[Policy] = []
        self.numbers: list[int] = []
        self.applications: dict[UUID, Application] = {}
        self.claims: dict[UUID, Claim] = {}
        self.invoices: dict[InvoiceKey, UUID] = {}
        self.documents: dict[UUID, Document] = {}
        self.released_claims: list[UUID] = []
        self.timeline: list[Happening] = []
        self.pushes: list[NewPush] = []
        self._new_invoices: list[dict[str, Any]] = []
        self._new_documents: list[Document] = []
        self._confirmed: list[Document] = []
        self._added: list[Application | Claim] = []
        self._touched: dict[int, Application | Claim] = {}
        self._loaded: dict[UUID, dict[str, Any]] = {}
        """Applications and claims as they were loaded: documents that are still the same are not stored again."""

    def add(self, record: Application | Claim) -> None:
        """Take in a new record."""
        self._added.append(record)
        if isinstance(record, Application):
            self.applications[record.application_id] = record
        else:
            self.claims[record.claim_id] = record
        self._follow(record)

    def keep(self, document: Document) -> None:
        """Take in a document that was uploaded; its bytes are kept already."""
        self._new_documents.append(document)
        self.documents[document.document_id] = document

    def confirm(self, document: Document, by: str) -> None:
        """Let a provider stand behind a document."""
        document.confirmed_by, document.confirmed_at = by, self.now
        self._confirmed.append(document)

    def change(self, application: Application, *claims: Claim) -> None:
        """Say that an application (and claims of it) changed: its status, version and clocks follow."""
        application.status = rules.status_of(application)
        application.version += 1
        records: list[Application | Claim] = [application, *claims]
        for record in records:
            record.updated_at = self.now
            self._follow(record)
            if not any(record is new for new in self._added):
                self._touched[id(record)] = record

    def _follow(self, record: Application | Claim) -> None:
        """Let the clock of a record be that of what it waits for now, by the policy of its application."""
        application = self.applications[record.application_id]
        wait = waits.of_claim(record) if isinstance(record, Claim) else waits.of_application(record)
        clocks = self.policies[application.scheme][application.policy_version].clocks
        waits.follow(record, wait, clocks, self.now)

    def take_invoices(self, claim: Claim) -> None:
        """Let the claim's invoices count in it, and in no other."""
        for invoice in claim.body["invoices"]:
            key = (invoice["seller"], invoice["number"])
            self.invoices[key] = claim.claim_id
            self._new_invoices.append({"seller": key[0], "number": key[1], "claim_id": claim.claim_id})

    def note(
        self, application: Application, kind: str, at: datetime, claim_id: UUID | None = None, **data: Any
    ) -> None:
        """Add a line to an application's timeline, and push it; what it tells of was done before."""
        application.happenings += 1
        line = Happening(
            application_id=application.application_id,
            position=application.happenings,
            at=at,
            type=kind,
            claim_id=claim_id,
            data=data,
        )
        self.timeline.append(line)
        self.pushes.append(telling.change(application, self.claims[claim_id] if claim_id else None, line))

    def say(self, event: Event) -> None:
        self.said.say(event)

    def current_policy(self, scheme: str) -> Policy:
        """Return the scheme's policy in force; raise the refusal that lists the schemes there are."""
        versions = list(self.policies.get(scheme, {}).values())
        policy = rules.current_policy(versions, self.now)
        if policy is None:
            raise rules.unknown_scheme(scheme, list(self.policies))
        return policy

    @property
    def evidence(self) -> dict[UUID, Document]:
        """Return the loaded documents that the client who asks has uploaded."""
        return {key: document for key, document in self.documents.items() if document.client == self.client}

    def find(self, application_id: UUID) -> Application:
        """Return an application; raise the 404 refusal when the client who asks has sent none of this id."""
        application = self.applications.get(application_id)
        if application is None or application.client != self.client:
            raise rules.not_found("application", application_id)
        return application

    # --- loading and storing -----------------------------------------------------------------------------

    async def load_policies(self, connection: AsyncConnection, *, new_applications: int = 0) -> None:
        """Load all policies: they are few, and requests and events speak of any. Draw the numbers that may be needed.

        Numbers are drawn with them because that is no further round trip.
        """
        for scheme, version, number in await fetch(connection, _POLICIES_AND_NUMBERS, new_applications):
            if scheme is None:
                self.numbers.append(number)
                continue
            place = (scheme, version, number)
            policy = _known_policies.get(place)
            if policy is None:
                [[document]] = await fetch(connection, _POLICY, scheme, version)
                policy = msgspec.convert(document, Policy)
                if len(_known_policies) >= _MOST_KNOWN:
                    _known_policies.clear()
                _known_policies[place] = policy
            self.policies.setdefault(scheme, {})[version] = policy

    async def load_applications(
        self, connection: AsyncConnection, application_ids: Iterable[UUID], award_ids: Iterable[UUID] = ()
    ) -> None:
        """Lock and load applications by their own ids or their awards', in the order of their ids."""
        named = {"application_ids": list(set(application_ids))}
        awards = list(set(award_ids))
        if awards:
            rows = await _APPLICATIONS_BY_EITHER.rows(connection, **named, award_ids=awards)
        elif named["application_ids"]:
            rows = await _APPLICATIONS.rows(connection, **named)
        else:
            return
        for row in rows:
            self._take(row["application_id"], Application(**row))

    async def load_claims(self, connection: AsyncConnection, claim_ids: Iterable[UUID]) -> None:
        """Load claims; their applications' locks cover them."""
        named = list(set(claim_ids))
        if named:
            for row in await _CLAIMS.rows(connection, claim_ids=named):
                self._take(row["claim_id"], Claim(**row))

    async def load_claims_of(self, connection: AsyncConnection, application_ids: Iterable[UUID]) -> None:
        """Load all claims of these applications."""
        named = list(set(application_ids))
        if named:
            for row in await _CLAIMS_OF.rows(connection, application_ids=named):
                self._take(row["claim_id"], Claim(**row))

    def _take(self, key: UUID, record: Application | Claim) -> None:
        if isinstance(record, Application):
            self.applications[key] = record
        else:
            self.claims[key] = record
        self._loaded[key] = msgspec.structs.asdict(record)

    async def load_invoices(self, connection: AsyncConnection, keys: Iterable[InvoiceKey]) -> None:
        """Load which of these invoices count in a claim already."""
        named = set(keys)
        if named:
            sellers, numbers = zip(*named, strict=True)
            for seller, number, claim_id in await _INVOICES.rows(connection, sellers=sellers, numbers=numbers):
                self.invoices[(seller, number)] = claim_id

    async def load_documents(
        self, connection: AsyncConnection, ids: Iterable[UUID], *, to_change: Iterable[UUID] = ()
    ) -> None:
        """Load what was uploaded under these ids, those ``to_change`` locked; one that is not there is left out."""
        changed = set(to_change)
        for query, named in ((_DOCUMENTS_TO_CHANGE, changed), (_DOCUMENTS, set(ids) - changed)):
            if named:
                for row in await query.rows(connection, document_ids=list(named)):
                    self.documents[row["document_id"]] = Document(**row)

    async def store(self, connection: AsyncConnection) -> None:
        """Have written what was added and changed, with what is said of it (``outbox.add``)."""
        if self.released_claims:  # first: the same invoices may count in another claim now
            await execute(connection, _RELEASE, self.released_claims)
        writes = Writes(connection)
        for kind, table in ((Application, tables.applications), (Claim, tables.claims)):
            writes.insert_records(table, [record for record in self._added if isinstance(record, kind)])
            changed = rows_of(record for record in self._touched.values() if isinstance(record, kind))
            writes.update_rows(table, changed, [self._loaded[row[_KEYS[kind]]] for row in changed])
        invoices = sorted(self._new_invoices, key=lambda row: (row["seller"], row["number"]))  # one order: no deadlock
        writes.insert_rows(tables.invoices, invoices)
        writes.insert_records(tables.documents, self._new_documents)
        writes.update_rows(tables.documents, rows_of(self._confirmed))
        writes.insert_records(tables.timeline, self.timeline)
        new = [{"scheme": p.scheme, "version": p.version, "policy": to_builtins(p)} for p in self.new_policies]
        writes.insert_rows(tables.policies, new)
        writes.insert_records(pushes, self.pushes)
        self.said.writes = writes
