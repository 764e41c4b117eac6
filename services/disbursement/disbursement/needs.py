"""What a batch of events or orders may touch: the ids to load, before anything is decided."""

from collections.abc import Callable, Iterable
from typing import Any, Final
from uuid import UUID

import msgspec

from contracts.events import (
    AccountRejected,
    AccountVerified,
    ApplicationApproved,
    ApplicationReassessed,
    ApplicationWithdrawn,
    ClaimVerified,
    Event,
    PaymentReturned,
    PaymentSettled,
    PolicyPublished,
    RecoveryReceived,
)
from disbursement import orders


def _ids() -> Any:
    return msgspec.field(default_factory=set)


class Needs(msgspec.Struct):
    """Ids of what is spoken of; ``by_application`` are awards by their applications' ids.

    ``frees``: money may be freed, so whoever waits for it must be at hand.

    ``every_pool``: it reaches over pools. ``draws``: schemes that move money of their pool.
    """

    schemes: set[str] = _ids()
    draws: set[str] = _ids()
    pools: set[str] = _ids()
    applications: set[UUID] = _ids()
    by_application: set[UUID] = _ids()
    awards: set[UUID] = _ids()
    claims: set[UUID] = _ids()
    payments: set[UUID] = _ids()
    recoveries: set[UUID] = _ids()
    verifications: set[UUID] = _ids()
    orders: set[UUID] = _ids()
    envelopes: set[tuple[str, int]] = _ids()
    lines: set[tuple[str, int]] = _ids()
    resumed: set[str] = _ids()
    approvals: list[ApplicationApproved] = msgspec.field(default_factory=list)
    claimants: set[str] = _ids()
    reported: bool = False
    every_pool: bool = False
    frees: bool = False


def of_events(events: Iterable[Event]) -> Needs:
    """Return what these events need."""
    needs = Needs()
    for event in events:
        _OF_EVENT[type(event)](needs, event)
    return needs


def of_reports(payments: Iterable[UUID]) -> Needs:
    """Return what reports on these payments need."""
    return Needs(payments=set(payments), reported=True)


def _policy(needs: Needs, event: PolicyPublished) -> None:
    needs.schemes.add(event.scheme)


def _approved(needs: Needs, event: ApplicationApproved) -> None:
    needs.draws.add(event.scheme)
    needs.applications.add(event.application_id)
    needs.approvals.append(event)
    needs.every_pool |= event.stack is not None  # other schemes' pools may support the same contract


def _reassessed(needs: Needs, event: ApplicationReassessed) -> None:
    _approved(needs, event)
    needs.by_application.add(event.application_id)
    needs.frees = True


def _withdrawn(needs: Needs, event: ApplicationWithdrawn) -> None:
    needs.draws.add(event.scheme)
    needs.applications.add(event.application_id)
    needs.by_application.add(event.application_id)
    needs.frees = True


def _verified(needs: Needs, event: ClaimVerified) -> None:
    needs.draws.add(event.scheme)
    needs.claims.add(event.claim_id)
    needs.awards.add(event.award_id)
    needs.claimants.add(event.applicant)


def _reported(needs: Needs, event: PaymentSettled | PaymentReturned) -> None:
    needs.payments.add(event.payment_id)
    needs.reported = True


def _received(needs: Needs, event: RecoveryReceived) -> None:
    needs.recoveries.add(event.recovery_id)
    needs.reported = True
    needs.frees = True


def _answered(needs: Needs, event: AccountVerified | AccountRejected) -> None:
    needs.verifications.add(event.verification_id)
    needs.every_pool = True  # payments of any pool may wait for the account


_OF_EVENT: Final[dict[type[Event], Callable[[Needs, Any], None]]] = {
    PolicyPublished: _policy,
    ApplicationApproved: _approved,
    ApplicationReassessed: _reassessed,
    ApplicationWithdrawn: _withdrawn,
    ClaimVerified: _verified,
    PaymentSettled: _reported,
    PaymentReturned: _reported,
    RecoveryReceived: _received,
    AccountVerified: _answered,
    AccountRejected: _answered,
}


def add_subject(needs: Needs, subject: orders.AnySubject) -> None:
    """Add what an order is about."""
    needs.frees = True
    match subject:
        case orders.SetAppropriation(pool=pool):
            needs.pools.add(pool)
        case orders.ResumePool(pool=pool):
            needs.pools.add(pool)
            needs.resumed.add(pool)
        case orders.SetEnvelope(scheme=scheme, fiscal_year=year):
            needs.draws.add(scheme)
            needs.envelopes.add((scheme, year))
        case (
            orders.RevokeAward(award_id=award_id)
            | orders.CloseAward(award_id=award_id)
            | orders.DemandRecovery(award_id=award_id)
        ):
            needs.awards.add(award_id)
        case orders.WriteOffRecovery(recovery_id=recovery_id):
            needs.recoveries.add(recovery_id)
        case _:
            needs.payments.add(subject.payment_id)
            needs.every_pool = True  # its account may be new, and accounts reach over pools
