"""Eligibility decides whether an application deserves its award, and which part of a claim counts.

It takes the rules from policy documents, which it publishes, and the facts from outside registers. It decides
nothing about money that is there or not: caps, envelopes and pools are disbursement's.

Tables: ``policies`` (published versions), ``assessments`` (one per application: what was submitted, the facts seen,
the decision), ``contracts`` (each counts once in a scheme), ``claims`` (waiting for persons, verified or rejected),
``counted_invoices`` (each invoice, milestone and month counts once), ``tasks``, ``votes``, ``interests``, ``audit``.

In, from ``intake.applications``: ``application.submitted``, ``application.withdrawn``, ``application.lapsed``,
``claim.submitted``, ``claim.withdrawn``. Out, on ``eligibility.policies``: ``policy.published``; on
``eligibility.decisions``: ``review.opened``, ``application.approved``, ``application.rejected``, ``claim.verified``,
``claim.rejected``.
"""
