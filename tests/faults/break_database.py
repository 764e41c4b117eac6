"""You are at the faults of PostgreSQL: crashed, restarted, its connections ended, its rows locked (F6, F7)."""

import asyncio
from typing import Final

import asyncpg

from stack.grants import SERVICES
from tests.faults.sabotage import NotHappenedError, Saboteur, until

_BACKENDS: Final = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = $1"
_ANSWER: Final = """
    INSERT INTO idempotency (client, key, request_hash, status, headers, body)
    VALUES ('portal', '{key}', '', 201, '{{}}', '')
"""
_IN_TRANSACTION: Final = _BACKENDS + " AND backend_xid IS NOT NULL"


async def kill_postgres(by: Saboteur) -> str:
    """F6: SIGKILL of the postmaster; the database recovers from its log."""
    async with by.system.postgres_busy:
        [ended] = await by.system.stack.crash(["postgres"], by.random.uniform(0, 2))
        if ended != -9:
            raise NotHappenedError(f"the postmaster ended with {ended}")
        log = by.system.home.log("postgres").read_text(errors="replace")
        if "automatic recovery in progress" not in log:
            raise NotHappenedError("PostgreSQL did not have to recover")
        return "the postmaster ended by SIGKILL, recovery in its log"


async def restart_postgres(by: Saboteur) -> str:
    """F6: an ordinary restart, which ends every connection."""
    async with by.system.postgres_busy:
        before = by.system.process("postgres").pid
        await by.system.stack.restart("postgres")
        return f"postmaster {before} is {by.system.process('postgres').pid} now"


async def end_backends(by: Saboteur) -> str:
    """F6: every connection of one service is ended by the server."""
    service = by.random.choice(SERVICES)
    [row] = await by.system.fetch("postgres", _BACKENDS, service)
    if not row["count"]:
        raise NotHappenedError(f"{service} had no connection")
    return f"{row['count']} connections of {service} ended"


async def end_transactions(by: Saboteur) -> str:
    """F6: several times, whatever connection is in the middle of a transaction that writes."""
    ended = 0
    connection = await by.system.connect("postgres")
    try:
        for _ in range(200):
            service = by.random.choice(SERVICES)
            ended += await connection.fetchval(_IN_TRANSACTION, service)
            if ended >= 6:
                break
            await asyncio.sleep(0.02)
    finally:
        await connection.close()
    if not ended:
        raise NotHappenedError("no transaction was met")
    return f"{ended} backends ended in a transaction"


async def old_transaction(by: Saboteur) -> str:
    """F7: somebody's transaction holds an id for seconds, which holds back every relay of the cluster."""
    connection = await by.system.connect("postgres")
    try:
        transaction = connection.transaction()
        await transaction.start()
        xid = await connection.fetchval("SELECT pg_current_xact_id()::text")
        await asyncio.sleep(by.random.uniform(2, 5))
        held = await connection.fetchval("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
        await transaction.rollback()
    finally:
        await connection.close()
    if int(held) > int(xid):
        raise NotHappenedError(f"transaction {xid} held nothing back ({held})")
    return f"transaction {xid} was the oldest for seconds"


async def lock_pool(by: Saboteur) -> str:
    """F7: a row lock on the pool that everybody draws on; the batches queue behind it."""
    by.workload.send_one()
    return await _hold(by, "disbursement", "SELECT * FROM pools WHERE pool = 'ai-package-2025' FOR UPDATE")


async def lock_keys(by: Saboteur) -> str:
    """F7: intake's answers can't be stored, while the events of their transactions have drawn their ids."""
    return await _hold(by, "intake", "LOCK TABLE idempotency IN SHARE MODE")


async def hold_answer(by: Saboteur) -> str:
    """F7: somebody else is about to answer one request: its transaction waits, its events have their ids already."""
    return await by.workload.probe_held(lambda key: _hold(by, "intake", _ANSWER.format(key=key)))


async def _hold(by: Saboteur, service: str, statement: str) -> str:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = $1"
    connection = await by.system.connect(service)
    try:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(statement)
        seconds = by.random.uniform(2, 5)

        async def waiters() -> int:
            return int((await by.system.fetch("postgres", waiting, service))[0]["count"])

        seen = await until(waiters, f"a transaction that waits for {service}'s lock")
        await asyncio.sleep(seconds)
        await transaction.rollback()
    except asyncpg.PostgresConnectionError as error:
        raise NotHappenedError(f"another fault ended it: {error}") from error
    finally:
        await connection.close()
    return f"{seen} transactions of {service} waited {seconds:.0f} s"
