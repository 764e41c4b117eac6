"""Metrics: I turn the topics into the figures that the programme is watched by, and decide nothing.

I own a projection that can be thrown away and rebuilt from the topics: pools as replayed from ``disbursement.ledger``,
what moved per scheme, district and day, where each application and claim stands, and the tallies of those. I hear
the life cycle (``intake.applications``, ``eligibility.policies``, ``eligibility.decisions``, ``disbursement.awards``,
``disbursement.payments``) and the ledger. I tell nobody anything but on ``GET /metrics`` and ``/v1``.
"""
