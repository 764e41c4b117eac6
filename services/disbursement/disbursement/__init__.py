"""Disbursement: keeps the ledger. I decide what an award, a claim and a payment may take from which pool.

I own the pools and their transfers, the envelopes, caps, lines, awards, claims' payable sums, accounts, payments,
recoveries and the orders of finance's people. I hear ``policy.published``, ``application.approved``,
``application.withdrawn``, ``claim.verified`` and what finance reports (payments, accounts, recoveries). I tell of
awards (``disbursement.awards``), instruct payments, ask about accounts and about payments that nobody reports on
(``disbursement.payments``), and publish each transfer (``disbursement.ledger``).
"""
