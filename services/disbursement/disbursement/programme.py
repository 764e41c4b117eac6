"""Opens the pools: reads the programme's file and posts each opening appropriation once, by its fixed transfer."""

from datetime import datetime
from pathlib import Path

import msgspec
import yaml
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from contracts.chain import GENESIS
from contracts.common import Account, Text
from contracts.money import Money
from contracts.refusal import Refusal
from disbursement import store, tables
from disbursement.book import OPENING, Book, opening_transfer_id
from disbursement.iso20022.checks import refuse_unwritable_account
from disbursement.records import Pool
from kit import outbox
from kit.database import Database
from kit.errors import SetupError
from kit.sealing import keyring_of


class Appropriation(msgspec.Struct, frozen=True):
    """One pool of the programme's file."""

    pool: str
    name: Text
    appropriated: Money
    debtor: Account | None = None
    """The account that the bank pays from, where payments go to it in files."""


class Programme(msgspec.Struct, frozen=True):
    """The part of the programme's file that disbursement reads."""

    pools: tuple[Appropriation, ...]

    @property
    def debtors(self) -> dict[str, Account]:
        """Return the account of each pool that has one."""
        return {pool.pool: pool.debtor for pool in self.pools if pool.debtor is not None}


def read(path: Path) -> Programme:
    """Return the programme; raise SetupError with the file and the field that is wrong."""
    try:
        programme = msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), Programme)
        for pool, debtor in programme.debtors.items():
            refuse_unwritable_account(debtor, f"{pool}: debtor")
    except OSError as error:
        raise SetupError(f"can't read {path} ({error.strerror}): set DISBURSEMENT_PROGRAMME_FILE") from error
    except (yaml.YAMLError, msgspec.ValidationError, Refusal) as error:
        raise SetupError(f"{path}: {' '.join(str(error).split())}") from error
    return programme


async def open_pools(database: Database, programme: Programme) -> None:
    """Open the pools that are not open yet. Two processes that start together open each pool once.

    Raises SetupError when the file names another sum than the pool was opened with: appropriations change by an
    authorised command, never by an edited file.
    """
    async with database.transaction() as connection:
        now: datetime = (await connection.execute(select(func.now()))).scalar_one()
        book = Book(now, keyring_of(connection))
        for wanted in sorted(programme.pools, key=lambda pool: pool.pool):
            pool = Pool(pool=wanted.pool, name_zh=wanted.name.zh, name_en=wanted.name.en, hash=GENESIS)
            new = insert(tables.pools).values(msgspec.structs.asdict(pool)).on_conflict_do_nothing()
            if (await connection.execute(new)).rowcount:
                book.pools[pool.pool] = pool  # the row is there already: what open_in changes is an update
                open_in(book, wanted)
            else:
                query = select(tables.transfers.c.amount).where(
                    tables.transfers.c.transfer_id == opening_transfer_id(wanted.pool)
                )
                _check_unchanged(wanted, (await connection.execute(query)).scalar_one())
        store.store(connection, book)
        await outbox.add(connection, book.said)


def open_in(book: Book, wanted: Appropriation) -> None:
    """Post the opening appropriation of a pool whose row exists."""
    book.post(
        command=f"{OPENING}:{wanted.pool}",
        transfer_id=opening_transfer_id(wanted.pool),
        pool=wanted.pool,
        source="appropriated",
        target="available",
        amount=wanted.appropriated.amount,
        reason=OPENING,
    )


def _check_unchanged(wanted: Appropriation, opened_with: int) -> None:
    if opened_with != wanted.appropriated.amount:
        raise SetupError(
            f"the pool {wanted.pool} was opened with {opened_with} fen, the programme's file now says "
            f"{wanted.appropriated.amount}: put the opening sum back; appropriations change by a command"
        )
