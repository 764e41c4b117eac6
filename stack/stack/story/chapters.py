"""You are at the script of the story: its chapters in their order, in words for somebody who knows none of it.

A chapter waits until everything in `needs` was heard of this application. What it takes from the topics is told in it
(`takes`), whatever else comes with it; a transfer of money is named by its reason, as `transfer.posted/award.issued`.
So with the metrics: it waits until one that holds `moves` in its name or labels has moved, and tells all that hold one
of `figures`. The system does not wait for the reader: what moves early is told where it belongs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Act = Literal["offer", "draft", "submit", "assessment", "claim", "nothing"]

AVAILABLE, COMMITTED, OBLIGATED, DISBURSED = (
    f'state="{state}"' for state in ("available", "committed", "obligated", "disbursed")
)
APPLICATIONS: Final = "drawdown_applications"
ENVELOPE: Final = "drawdown_envelope_remaining_yuan"


@dataclass(frozen=True)
class Chapter:
    """One step. `act` is the call that begins it."""

    title: str
    tells: str
    act: Act = "nothing"
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    moves: str = ""
    figures: tuple[str, ...] = ()
    terms: Mapping[str, str] = field(default_factory=dict)


CHAPTERS: Final = (
    Chapter(
        "The city offers support",
        "The portal shows companies which schemes are open. Anybody may ask: this call needs no token.",
        act="offer",
        terms={
            "scheme": "one kind of support, described by a versioned document in policies/",
            "pool": "the money that schemes draw on; every fen of it is in exactly one state",
            "voucher": "an award with a code: a promise to pay part of what a company spends on computing power",
        },
    ),
    Chapter(
        "A company drafts an application",
        "The portal sends it to intake under a key of its own: sent twice, it is still one application.",
        act="draft",
        terms={
            "draft": "an application that is the company's own business still; no event tells of it",
            "Idempotency-Key": "the name of this wish: whoever is unsure whether it arrived sends it again",
        },
    ),
    Chapter(
        "It is submitted",
        "From here on it can't get lost: the answer is given after the commit, and the event is part of the commit.",
        act="submit",
        needs=("application.submitted",),
        takes=("application.submitted",),
        figures=('status="submitted"',),
        terms={
            "event": "what a service says to the others, on a topic of Kafka; never twice with effect, never lost",
            "outbox": "the table from which events are published, so that an event is true exactly when its row is",
        },
    ),
    Chapter(
        "Eligibility decides",
        "It asks the outside registers about the company, freezes what they say, and applies the scheme's document.",
        act="assessment",
        needs=("application.approved",),
        takes=("application.approved", "review.opened", "clarification.requested"),
        terms={
            "criterion": "a condition of the scheme; each is met, not met or unknown, and names its clause",
            "fact": "what a register said, kept with the decision, so that it can be run again years later",
        },
    ),
    Chapter(
        "Disbursement promises the money",
        "The award is the least of what was approved and what is left in cap, envelope and pool.",
        needs=("award.issued", "transfer.posted/award.issued"),
        takes=("award.issued", "transfer.posted/award.issued"),
        moves=COMMITTED,
        figures=(AVAILABLE, COMMITTED, ENVELOPE, APPLICATIONS),
        terms={
            "transfer": "a move of money between two states of a pool: written once, chained by hash, never changed",
            "committed": "promised to an award and not claimed yet",
            "envelope": "what a scheme may promise in a fiscal year",
            "cap": "what one company gets from a scheme in a fiscal year",
        },
    ),
    Chapter(
        "The company claims",
        "It has paid its provider, and sends the invoice. An invoice counts once in the whole programme.",
        act="claim",
        needs=("claim.submitted",),
        takes=("claim.submitted",),
        terms={"claim": "a request to be paid from an award, on invoices; an award takes several until it is used up"},
    ),
    Chapter(
        "Eligibility verifies the claim",
        "Seller, dates and contract have to fit; tax is taken off. What is left is eligible.",
        needs=("claim.verified",),
        takes=("claim.verified",),
        terms={"eligible": "the part of the invoices that counts; the scheme's rate of it is paid"},
    ),
    Chapter(
        "Disbursement orders the payment",
        "A new account is verified by finance first. Then the money leaves the promise and the payment is instructed.",
        needs=("claim.payable", "transfer.posted/claim.payable", "payment.instructed"),
        takes=(
            "claim.payable",
            "transfer.posted/claim.payable",
            "account.verification_requested",
            "account.verified",
            "payment.instructed",
            "claim.instructed",
        ),
        moves=COMMITTED,
        figures=(COMMITTED, OBLIGATED),
        terms={
            "obligated": "a claim was found payable and its payment ordered; the bank has not settled it yet",
            "end_to_end_id": "the payment's name at the bank, the same on every retry: it is paid once",
        },
    ),
    Chapter(
        "The bank pays",
        "Finance reports what the bank did. A report that comes twice, late or wrong moves nothing a second time.",
        needs=("payment.settled", "transfer.posted/payment.settled", "claim.paid"),
        takes=("payment.settled", "payment.returned", "transfer.posted/payment.settled", "claim.paid"),
        moves=DISBURSED,
        figures=(OBLIGATED, DISBURSED),
        terms={
            "disbursed": "the bank has paid: the pool is drawn down by this much",
            "returned": "the bank could not pay; finance's officers instruct it again, or give it up",
        },
    ),
)
