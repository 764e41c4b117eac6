"""The reconciliation: says all the time whether the books agree with each other, and stops awards where they do not.

The transfers are the truth. Everything else is compared with them: a pool's row (``entries``), each award
(``awards``), each payment and receipt (``payments``), and they with themselves (``chain``). Beside that, books add up
(``identity``), and what was published is on the topics (``outbox``).

``loop`` runs, ``queries`` read, ``ledger`` reads on in the transfers, ``rules`` and ``chain`` judge, ``results`` keep
what was found and hold the pools.
"""
