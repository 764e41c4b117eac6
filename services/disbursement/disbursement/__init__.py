"""Disbursement: keeps the ledger. I decide what an award, a claim and a payment may take from which pool.

I own the pools and their transfers, the envelopes, caps, awards, claims' payable sums, payments and the waitlist.
I hear ``policy.published``, ``application.approved``, ``application.withdrawn``, ``claim.verified`` and what finance
reports (``payment.settled``, ``payment.returned``). I tell of awards (``disbursement.awards``), instruct payments and
ask about those that nobody reports on (``disbursement.payments``), and publish each transfer
(``disbursement.ledger``).
"""
