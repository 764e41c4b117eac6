"""You are at the checks of the books: pools, the ledger behind them, the awards, and the public gauges."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from contracts.chain import GENESIS, transfer_hash
from contracts.money import yuan
from stack import gauges
from stack.checks.result import Result, result
from stack.gauges import APPROPRIATED
from stack.simulators.auditor import Evidence, Transfer
from stack.simulators.portal import Told
from stack.simulators.views import Pool

STATES: Final = ("available", "committed", "obligated", "disbursed")


def pool_identity(evidence: Evidence, _: Told) -> Result:
    """For every pool: appropriated = available + committed + obligated + disbursed, to the fen."""

    def differences() -> Iterator[str]:
        if not evidence.pools:
            yield "there is no pool"
        for pool in evidence.pools:
            total = sum(pool.balances().values())
            if total != pool.appropriated.amount:
                yield f"{pool.pool}: appropriated {yuan(pool.appropriated.amount)}, the four make {yuan(total)}"

    return result("the pools' books balance", f"{len(evidence.pools)} pools", differences())


def ledger_replays(evidence: Evidence, _: Told) -> Result:
    """Each pool's transfers, replayed from nothing, give its balances; versions and hashes are unbroken."""

    def differences() -> Iterator[str]:
        for pool in evidence.pools:
            yield from _replay(pool, evidence.transfers.get(pool.pool, []))

    count = sum(len(transfers) for transfers in evidence.transfers.values())
    return result("the ledger replays, its chain unbroken", f"{count} transfers", differences())


def awards_add_up(evidence: Evidence, _: Told) -> Result:
    """A pool's awards together hold what the pool has committed, obligated and disbursed."""
    held: Counter[tuple[str | None, str]] = Counter()
    for award in evidence.awards:
        held[award.pool, "committed"] += award.rest.amount
        held[award.pool, "obligated"] += award.claimed.amount - award.paid.amount
        held[award.pool, "disbursed"] += award.paid.amount

    def differences() -> Iterator[str]:
        for pool in evidence.pools:
            for state in ("committed", "obligated", "disbursed"):
                amount, sum_ = pool.balances()[state], held[pool.pool, state]
                if amount != sum_:
                    yield f"{pool.pool} {state}: {yuan(amount)}, its awards hold {yuan(sum_)}"

    return result("the awards add up to the pools", f"{len(evidence.awards)} awards", differences())


def metrics_equal_ledger(evidence: Evidence, _: Told) -> Result:
    """The metrics service shows each pool as disbursement does, on /metrics and on /v1/pools, to the fen."""
    scraped = gauges.of_pools(evidence.metrics_text)
    listed = {(pool.pool, state): amount for pool in evidence.metrics_pools for state, amount in _amounts(pool)}

    def differences() -> Iterator[str]:
        for pool in evidence.pools:
            for state, amount in _amounts(pool):
                for where, shown in (("/metrics", scraped), ("/v1/pools", listed)):
                    found = shown.get((pool.pool, state))
                    if found != amount:
                        words = "nothing" if found is None else yuan(found)
                        yield f"{where} shows {words} for {pool.pool} {state}, the ledger {yuan(amount)}"

    return result("the metrics service equals the ledger", f"{len(scraped)} gauges", differences())


def _replay(pool: Pool, transfers: list[Transfer]) -> Iterator[str]:
    balances = dict.fromkeys(STATES, 0)
    previous = GENESIS
    for version, transfer in enumerate(transfers, start=1):
        where = f"{pool.pool}, transfer {version}"
        _move(balances, transfer)
        if transfer["version"] != version:
            yield f"{where}: has version {transfer['version']}"
        if transfer["previous_hash"] != previous:
            yield f"{where}: the chain is broken"
        if transfer["hash"] != transfer_hash(transfer):
            yield f"{where}: the content does not match the hash"
        if transfer["balances"] != balances or min(balances.values()) < 0:
            yield f"{where}: carries {transfer['balances']}, replayed {balances}"
        previous = transfer["hash"]
    if balances != pool.balances():
        yield f"{pool.pool}: shows {pool.balances()}, replayed {balances}"
    if (pool.version, pool.hash) != (len(transfers), previous):
        yield f"{pool.pool}: ends at version {pool.version} {pool.hash}, replayed {len(transfers)} {previous}"


def _move(balances: dict[str, int], transfer: Transfer) -> None:
    """Apply one transfer; an appropriation comes from outside the four and goes there when it is lowered."""
    amount = transfer["money"]["amount"]
    if transfer["from"] in balances:
        balances[transfer["from"]] -= amount
    if transfer["to"] in balances:
        balances[transfer["to"]] += amount


def _amounts(pool: Pool) -> list[tuple[str, int]]:
    return [(APPROPRIATED, pool.appropriated.amount), *pool.balances().items()]
