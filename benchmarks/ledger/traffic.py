"""What the ledger is told: events of the real shape, encoded as they stand in Kafka, made before the clock starts."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain, zip_longest
from pathlib import Path
from random import Random
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec

from benchmarks.ledger.scene import scheme_of
from contracts.codec import decode, encode
from contracts.common import Account
from contracts.events import ApplicationApproved, ClaimVerified, Event, PaymentSettled
from contracts.money import Money
from contracts.topics import TOPIC_OF, event_type
from kit.identifiers import uuid7
from kit.kafka import partition_of
from kit.messages import Header, headers_of

_EXAMPLES: Final = Path(__file__).parents[2] / "contracts" / "examples"
_COMPANIES: Final = 50_000
_OFTEN: Final = 0.98  # the others ask for more than a company's cap, so that the cap bites
_ASKED: Final = (100_000, 5_000_000)  # fen
_ABOVE_CAP: Final = 2_000_000_000
_FEWEST_AWARDED: Final = 0.9  # a benchmark of refusals would say nothing
_TRACE: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Told(msgspec.Struct, frozen=True):
    """An event as a consumer would fetch it, but for its place in the topic."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    headers: tuple[Header, ...]


class Ledger(Protocol):
    """A side, as far as its traffic is concerned: it handles events, and answers what ids it gave."""

    async def handle(self, told: Sequence[Told]) -> None: ...

    async def fetch(self, query: str, *args: Any) -> list[Any]: ...


def example(kind: type[Event]) -> Any:
    """Return the contract's own example of an event."""
    name = event_type(kind)
    return decode(name, (_EXAMPLES / f"{name}.json").read_bytes())


_APPROVED: Final[ApplicationApproved] = example(ApplicationApproved)
_VERIFIED: Final[ClaimVerified] = example(ClaimVerified)
_SETTLED: Final[PaymentSettled] = example(PaymentSettled)


def tell(event: Event) -> Told:
    """Return an event as its writer's relay would have published it."""
    topic = TOPIC_OF[type(event)]
    key = str(getattr(event, topic.key))
    headers = headers_of(
        event_id=uuid7(),
        event_type=event_type(type(event)),
        source=topic.writer,
        subject=str(getattr(event, "application_id", key)),
        time=datetime.now(UTC),
        sequence=1,
        traceparent=_TRACE,
    )
    partition = partition_of(key.encode(), topic.partitions)
    return Told(topic.name, partition, key.encode(), encode(event), tuple(headers))


def approvals(count: int, pools: Sequence[str], random: Random) -> list[Told]:
    """Return approvals that draw on the pools in turn."""
    return [tell(_approval(pools[number % len(pools)], random)) for number in range(count)]


def _approval(pool: str, random: Random) -> ApplicationApproved:
    number = random.randrange(_COMPANIES)
    applicant = f"9144{number:010d}MA00"  # its first fourteen characters are its own
    return msgspec.structs.replace(
        _APPROVED,
        application_id=uuid7(),
        scheme=scheme_of(pool),
        pool=pool,
        applicant=applicant,
        cap_holder=applicant,
        cap_members=(applicant,),
        stack=None,  # the peer knows no limit by contract; and a contract that all share is soon exhausted
        approved=Money(random.randrange(*_ASKED) if random.random() < _OFTEN else _ABOVE_CAP),
        creditor=Account(
            name=f"深圳市某某智能科技有限公司{number}", account=f"62220202{number:011d}", bank_code="308584912884"
        ),
        submitted_at=datetime.now(UTC),
    )


async def mix(ledger: Ledger, count: int, pools: Sequence[str], random: Random) -> list[Told]:
    """Return approvals, claims and settlements, a third each and well mixed; the ledger gets what they rest on."""
    each = count // 3
    awards = await awards_of(ledger, approvals(2 * each, pools, random))
    claims, paid = awards[: len(awards) // 2], awards[len(awards) // 2 :]
    payments = await payments_of(ledger, [_claim(award, random) for award in paid])
    kinds = (
        approvals(each, pools, random),
        [tell(_claim(award, random)) for award in claims],
        [tell(_settlement(payment)) for payment in payments],
    )
    return list(_in_turn(kinds))


async def lives(ledger: Ledger, count: int, pools: Sequence[str], random: Random) -> None:
    """Let ``count`` approvals be awarded, claimed and paid: three transfers each, but for those that a cap refuses."""
    awards = await awards_of(ledger, approvals(count, pools, random))
    payments = await payments_of(ledger, [_claim(award, random) for award in awards])
    await ledger.handle([tell(_settlement(payment)) for payment in payments])


async def awards_of(ledger: Ledger, told: Sequence[Told]) -> list[Any]:
    """Tell approvals; return the awards that came of them."""
    await ledger.handle(told)
    ids = [msgspec.json.decode(one.value, type=ApplicationApproved).application_id for one in told]
    query = "SELECT award_id, application_id, scheme, applicant FROM awards WHERE application_id = ANY($1)"
    awards = await ledger.fetch(query, ids)
    assert len(awards) >= _FEWEST_AWARDED * len(told), f"of {len(told)} approvals, {len(awards)} were awarded"
    return awards


async def payments_of(ledger: Ledger, claims: Sequence[ClaimVerified]) -> list[Any]:
    """Tell claims; return the payments that were instructed for them."""
    await ledger.handle([tell(claim) for claim in claims])
    query = "SELECT payment_id, end_to_end_id, amount FROM payments WHERE claim_id = ANY($1)"
    return await ledger.fetch(query, [claim.claim_id for claim in claims])


def _claim(award: Any, random: Random) -> ClaimVerified:
    return msgspec.structs.replace(
        _VERIFIED,
        claim_id=uuid7(),
        award_id=UUID(str(award["award_id"])),
        application_id=UUID(str(award["application_id"])),
        scheme=award["scheme"],
        applicant=award["applicant"],
        eligible=Money(random.randrange(10_000, 100_000)),
    )


def _settlement(payment: Any) -> PaymentSettled:
    return msgspec.structs.replace(
        _SETTLED,
        payment_id=UUID(str(payment["payment_id"])),
        end_to_end_id=payment["end_to_end_id"],
        money=Money(payment["amount"]),
    )


def _in_turn(kinds: Iterable[Sequence[Told]]) -> Iterator[Told]:
    return (one for one in chain.from_iterable(zip_longest(*kinds)) if one is not None)
