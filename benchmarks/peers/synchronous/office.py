"""What every request works with: database, policies, registers, keys; and the one way to answer a key once."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

import msgspec
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from benchmarks.peers.synchronous.models import Application, Base, Happening, Idempotency, Pool
from contracts.policy import Policy
from disbursement import programme
from eligibility.expressions import compile_policy
from eligibility.policies import read_documents
from eligibility.registers import Registers
from eligibility.rules import Rulebook
from eligibility.settings import Settings as RegisterSettings
from intake import rules
from kit.database import async_url, to_json
from kit.idempotency import Answer, Key, reused
from kit.sealing import Keyring

CONNECTIONS: Final = 5  # more only wait for the same row: 16 gave a sixth fewer lives
_TRIES: Final = 5
Work = Callable[[AsyncSession], Awaitable[Answer]]


class Office:
    """One process's share of the monolith. ``registers`` are asked in eligibility's way, answers kept as long."""

    def __init__(self, engine: AsyncEngine, policies: Sequence[Policy], registers: Registers, keyring: Keyring) -> None:
        self._engine = engine
        self.sessions = async_sessionmaker(engine, expire_on_commit=False, autoflush=False)
        self.rulebooks = {(policy.scheme, policy.version): compile_policy(policy) for policy in policies}
        self.registers = registers
        self.keyring = keyring

    @classmethod
    async def open(cls, url: str, policies_dir: Path, registers: RegisterSettings, keyring: Keyring) -> Self:
        """Open it on tables that are there."""
        engine = create_async_engine(
            async_url(url),
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_use_lifo=True,
            json_serializer=to_json,
            json_deserializer=msgspec.json.decode,
        )
        return cls(engine, published(policies_dir), Registers(registers), keyring)

    async def close(self) -> None:
        await self.registers.close()
        await self._engine.dispose()

    def rulebook(self, application: Application) -> Rulebook:
        """Return the policy that an application was submitted under, ready to decide."""
        return self.rulebooks[application.scheme, application.policy_version]

    def policy(self, application: Application) -> Policy:
        return self.rulebook(application).policy

    def current_policy(self, scheme: str, now: datetime) -> Policy:
        """Return the scheme's policy in force; raise the refusal that lists the schemes there are."""
        known = [book.policy for (name, _), book in self.rulebooks.items() if name == scheme]
        policy = rules.current_policy(known, now)
        if policy is None:
            raise rules.unknown_scheme(scheme, [name for name, _ in self.rulebooks])
        return policy

    async def once(self, key: Key, now: datetime, work: Work) -> Answer:
        """Do the work in a transaction, and return its answer once it is on disk; the same key brings the same answer.

        Who lost a race (for the key, an invoice, a line of a timeline) finds afterwards what the other one has done.
        """
        for _ in range(_TRIES - 1):
            try:
                return await self._once(key, now, work)
            except IntegrityError:
                continue
        return await self._once(key, now, work)

    async def _once(self, key: Key, now: datetime, work: Work) -> Answer:
        async with self.sessions.begin() as session:
            if found := await session.get(Idempotency, (key.client, key.key)):
                if found.request_hash != key.request_hash:
                    raise reused(key)
                return Answer(found.status, found.body, found.headers)
            answer = await work(session)
            session.add(
                Idempotency(
                    client=key.client,
                    key=key.key,
                    request_hash=key.request_hash,
                    status=answer.status,
                    headers=answer.headers,
                    body=answer.body,
                    created_at=now,
                )
            )
        return answer


def published(policies_dir: Path) -> list[Policy]:
    """Return the published policies of a directory."""
    found = (document.policy for document in read_documents(policies_dir))
    return [policy for policy in found if policy.status == "published"]


async def create_tables(url: str, programme_file: Path) -> None:
    """Create the tables in an empty database, and open the programme's pools."""
    engine = create_async_engine(async_url(url))
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    pools = programme.read(programme_file).pools
    async with AsyncSession(engine) as session, session.begin():
        session.add_all(
            Pool(pool=pool.pool, appropriated=pool.appropriated.amount, available=pool.appropriated.amount)
            for pool in pools
        )
    await engine.dispose()


def note(
    session: AsyncSession, application: Application, kind: str, at: datetime, claim_id: Any = None, **data: Any
) -> None:
    """Add a line to an application's timeline; its version rises."""
    application.happenings += 1
    application.version += 1
    application.updated_at = at
    session.add(
        Happening(
            application_id=application.application_id,
            position=application.happenings,
            at=at,
            type=kind,
            claim_id=claim_id,
            data=data,
        )
    )
