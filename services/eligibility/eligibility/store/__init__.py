"""The queries on eligibility's tables. Each says which rows it locks; all lock in the order of their keys.

A transaction takes its locks in this order: assessments, invoices, contracts. Within one statement the rows come
sorted, so two transactions never wait for each other in a ring.
"""
