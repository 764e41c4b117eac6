"""S6: decisions a second of one core with the real policies, beside the expression library alone on the same variables.

Nothing is read or written: an application and its facts in, a decision with its reasons out. The peer evaluates the
same criteria and tiers, on contexts made from the same variables, and does nothing with what comes out.
"""
