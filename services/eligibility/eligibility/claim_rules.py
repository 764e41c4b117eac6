"""You are where a claim is verified: which of its invoices count, and for how much. Pure, like ``rules``.

Some faults reject the whole claim (no approved application, no usage, an invoice that has counted before); an
invoice that is merely not eligible (outside the period, another seller) is taken off and told, and the rest counts.
"""

from calendar import monthrange
from collections.abc import Iterable, Set
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain
from typing import Final
from zoneinfo import ZoneInfo

from contracts.common import Invoice, Reason
from contracts.events import ApplicationSubmitted, ClaimSubmitted
from contracts.money import LARGEST_EXACT_INTEGER, Money
from contracts.policy import Policy
from eligibility import claim_items, texts

InvoiceKey = tuple[str, str]
"""Seller and number; or application and item, where a policy counts items (``claim_items``)."""
MONTHS_PER_YEAR: Final = 12


@dataclass(frozen=True, slots=True)
class Support:
    """What a claim is measured against: the policy, the approved application, the days whose expenses count.

    ``resident``: whether the community that the claim is made from is accredited now; None where nobody has to be.
    """

    policy: Policy
    application: ApplicationSubmitted
    first_day: date
    last_day: date
    resident: bool | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """What the rules say of a claim. ``counted`` are the invoices that may never count again."""

    verified: bool
    eligible: Money
    reasons: tuple[Reason, ...]
    counted: tuple[InvoiceKey, ...]


def invoice_key(invoice: Invoice) -> InvoiceKey:
    return invoice.seller, invoice.number


def counted_keys(claim: ClaimSubmitted) -> list[InvoiceKey]:
    """Return all that may count in the claim, and counts once: it has to be reserved before the claim is verified."""
    return [*map(invoice_key, claim.invoices), *claim_items.candidates(claim)]


def support(
    policy: Policy, application: ApplicationSubmitted, approved_at: datetime, *, resident: bool | None = None
) -> Support:
    """Return the period that a claim's invoices must lie in: the contract's, otherwise the award's validity."""
    contract = application.request.contract
    if contract is not None:
        return Support(policy, application, contract.starts_on, contract.ends_on, resident)
    first_day = approved_at.astimezone(ZoneInfo(policy.timezone)).date()
    return Support(policy, application, first_day, months_later(first_day, policy.validity_months), resident)


def months_later(day: date, months: int) -> date:
    """Return the same day of the month so many months later, or that month's last day."""
    years, month = divmod(day.month - 1 + months, MONTHS_PER_YEAR)
    last = monthrange(day.year + years, month + 1)[1]
    return date(day.year + years, month + 1, min(day.day, last))


def verify(claim: ClaimSubmitted, supported: Support | None, taken: Set[InvoiceKey]) -> Verification:
    """Verify a claim. ``supported`` is None without an approved application; ``taken`` counted in other claims."""
    if supported is None:
        return _rejected(texts.condition("application-approved", holds=False))
    whole = [*_usage(claim, supported), *_counted_before(claim, taken)]
    if any(reason.outcome == "not_met" for reason in whole):
        return _rejected(*whole)
    if supported.policy.claims.basis != "invoices":
        return _verify_item(claim, supported, whole, taken)
    faults = {invoice_key(invoice): list(_faults(invoice, supported)) for invoice in claim.invoices}
    counted = [invoice for invoice in claim.invoices if not faults[invoice_key(invoice)]]
    eligible = sum(_expense(supported.policy, invoice) for invoice in counted)
    payable = 0 < eligible <= LARGEST_EXACT_INTEGER
    reasons = (*whole, *chain.from_iterable(faults.values()), texts.eligible_amount(eligible, holds=payable))
    if not payable:
        return _rejected(*reasons)
    return Verification(True, Money(eligible), reasons, tuple(invoice_key(invoice) for invoice in counted))


def _verify_item(
    claim: ClaimSubmitted, supported: Support, whole: Iterable[Reason], taken: Set[InvoiceKey]
) -> Verification:
    """Verify a claim on a milestone, a part or a sum. Invoices that come with it are proof: they count once too."""
    item = claim_items.item_of(
        claim, supported.policy, supported.application, supported.first_day, resident=supported.resident
    )
    fresh = [texts.condition("item-not-claimed", holds=item.key not in taken)] if item.key else []
    payable = 0 < item.amount <= LARGEST_EXACT_INTEGER
    found = (*whole, *item.reasons, *fresh)
    if any(reason.outcome == "not_met" for reason in found):
        return _rejected(*found)
    reasons = (*found, texts.eligible_amount(item.amount, holds=payable))
    if not payable:
        return _rejected(*reasons)
    counted = (*map(invoice_key, claim.invoices), *([item.key] if item.key else []))
    return Verification(True, Money(item.amount), reasons, counted)


def _rejected(*reasons: Reason) -> Verification:
    return Verification(False, Money(0), reasons, ())


def _expense(policy: Policy, invoice: Invoice) -> int:
    return invoice.money.amount - (invoice.tax.amount if policy.claims.deduct_tax else 0)


# --- what rejects the whole claim --------------------------------------------------------------------------


def _usage(claim: ClaimSubmitted, supported: Support) -> Iterable[Reason]:
    if not supported.policy.claims.usage_required:
        return
    usage = claim.usage
    yield texts.condition("usage-stated", holds=usage is not None)
    if usage is not None:
        inside = supported.first_day <= usage.starts_on <= usage.ends_on <= supported.last_day
        yield texts.condition("usage-within-period", holds=inside)


def _counted_before(claim: ClaimSubmitted, taken: Set[InvoiceKey]) -> Iterable[Reason]:
    seen: set[InvoiceKey] = set()
    for invoice in claim.invoices:
        key = invoice_key(invoice)
        if key in taken:
            yield texts.invoice_fault("invoice_already_claimed", invoice.number)
        if key in seen:
            yield texts.invoice_fault("invoice-repeated", invoice.number)
        seen.add(key)


# --- what takes one invoice off ------------------------------------------------------------------------------


def _faults(invoice: Invoice, supported: Support) -> Iterable[Reason]:
    contract = supported.application.request.contract
    if not supported.first_day <= invoice.issued_on <= supported.last_day:
        yield texts.invoice_fault("invoice-within-period", invoice.number)
    if supported.policy.claims.seller_is_provider and (contract is None or invoice.seller != contract.provider):
        yield texts.invoice_fault("invoice-from-provider", invoice.number)
    if invoice.tax.amount > invoice.money.amount:
        yield texts.invoice_fault("invoice-tax-plausible", invoice.number)
