"""The working set of a batch or group: loaded under the applications' locks, changed in memory, stored at the end."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import delete, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.codec import to_builtins
from contracts.events import Event
from contracts.policy import Policy
from intake import rules, tables, waits
from intake.push import telling
from intake.push.records import NewPush
from intake.push.tables import pushes
from intake.records import Application, Claim, Document, Happening
from kit.driver import fetch
from kit.outbox import Announcements
from kit.rows import insert_records, insert_rows, rows_of, update_rows
from kit.sealing import Keyring

InvoiceKey = tuple[str, str]

_NUMBERS: Final = "SELECT nextval('application_number_seq') FROM generate_series(1, $1)"
_POLICIES: Final = "SELECT scheme, version, xmin::text::bigint AS written_by FROM policies"
_POLICY: Final = "SELECT policy FROM policies WHERE scheme = $1 AND version = $2"
_MOST_KNOWN: Final = 1_000
_KEYS: Final = {Application: "application_id", Claim: "claim_id"}
# What policies say, by scheme, version and the transaction that wrote them. They never change, and are large.
_known_policies: dict[tuple[str, str, int], Policy] = {}


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

    async def load_policies(self, connection: AsyncConnection) -> None:
        """Load all policies: they are few, and requests and events speak of any."""
        for row in await fetch(connection, _POLICIES):
            scheme, version, _ = place = tuple(row)
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
        columns = tables.applications.c
        application_ids, award_ids = sorted(set(application_ids)), sorted(set(award_ids))
        if not application_ids and not award_ids:
            return
        named = or_(columns.application_id.in_(application_ids), columns.award_id.in_(award_ids))
        query = select(tables.applications).where(named).order_by(columns.application_id).with_for_update()
        for row in (await connection.execute(query)).mappings():
            self._take(row["application_id"], Application(**row))

    async def load_claims(self, connection: AsyncConnection, claim_ids: Iterable[UUID]) -> None:
        """Load claims; their applications' locks cover them."""
        claim_ids = sorted(set(claim_ids))
        if claim_ids:
            query = select(tables.claims).where(tables.claims.c.claim_id.in_(claim_ids))
            for row in (await connection.execute(query)).mappings():
                self._take(row["claim_id"], Claim(**row))

    async def load_claims_of(self, connection: AsyncConnection, application_ids: Iterable[UUID]) -> None:
        """Load all claims of these applications."""
        application_ids = sorted(set(application_ids))
        if application_ids:
            query = select(tables.claims).where(tables.claims.c.application_id.in_(application_ids))
            for row in (await connection.execute(query.order_by(tables.claims.c.claim_id))).mappings():
                self._take(row["claim_id"], Claim(**row))

    def _take(self, key: UUID, record: Application | Claim) -> None:
        if isinstance(record, Application):
            self.applications[key] = record
        else:
            self.claims[key] = record
        self._loaded[key] = msgspec.structs.asdict(record)

    async def load_invoices(self, connection: AsyncConnection, keys: Iterable[InvoiceKey]) -> None:
        """Load which of these invoices count in a claim already."""
        keys = sorted(set(keys))
        if keys:
            columns = tables.invoices.c
            query = select(tables.invoices).where(tuple_(columns.seller, columns.number).in_(keys))
            for row in await connection.execute(query):
                self.invoices[(row.seller, row.number)] = row.claim_id

    async def load_documents(
        self, connection: AsyncConnection, ids: Iterable[UUID], *, to_change: Iterable[UUID] = ()
    ) -> None:
        """Load what was uploaded under these ids, those ``to_change`` locked; one that is not there is left out."""
        changed = set(to_change)
        await self._load_documents(connection, changed, lock=True)
        await self._load_documents(connection, set(ids) - changed, lock=False)

    async def _load_documents(self, connection: AsyncConnection, ids: Iterable[UUID], *, lock: bool) -> None:
        ids = sorted(set(ids))
        if ids:
            columns = tables.documents.c
            query = select(tables.documents).where(columns.document_id.in_(ids)).order_by(columns.document_id)
            for row in (await connection.execute(query.with_for_update() if lock else query)).mappings():
                self.documents[row["document_id"]] = Document(**row)

    async def draw_numbers(self, connection: AsyncConnection, count: int) -> None:
        """Draw as many application numbers as this group may need."""
        if count:
            self.numbers = [row[0] for row in await fetch(connection, _NUMBERS, count)]

    async def store(self, connection: AsyncConnection) -> None:
        """Write what was added and changed."""
        for kind, table in ((Application, tables.applications), (Claim, tables.claims)):
            await insert_records(connection, table, [record for record in self._added if isinstance(record, kind)])
            changed = rows_of(record for record in self._touched.values() if isinstance(record, kind))
            await update_rows(connection, table, changed, [self._loaded[row[_KEYS[kind]]] for row in changed])
        if self.released_claims:
            await connection.execute(
                delete(tables.invoices).where(tables.invoices.c.claim_id.in_(self.released_claims))
            )
        invoices = sorted(self._new_invoices, key=lambda row: (row["seller"], row["number"]))  # one order: no deadlock
        await insert_rows(connection, tables.invoices, invoices)
        await insert_records(connection, tables.documents, self._new_documents)
        await update_rows(connection, tables.documents, rows_of(self._confirmed))
        await insert_records(connection, tables.timeline, self.timeline)
        new = [{"scheme": p.scheme, "version": p.version, "policy": to_builtins(p)} for p in self.new_policies]
        await insert_rows(connection, tables.policies, new)
        await insert_records(connection, pushes, self.pushes)  # last: its ids are not drawn before they are needed
