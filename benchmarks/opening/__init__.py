"""S8: the minute after the window opens. Everybody submits at once, clicks again, mistypes, and hangs up.

The whole system runs: four services, Kafka, PostgreSQL, the registers. What is asked: is every intent accepted once, is
every refusal fit to be shown, and how long until everybody knows what was decided.
"""
