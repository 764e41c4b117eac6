"""You are at `drawdown doctor`: what is wrong with this machine, this stack and what the services' settings name.

`examine` goes through all looks; each answers findings and changes nothing. What a service reaches by its own
settings (database, brokers, keyring, issuer) it looks at itself: `python -m <service> check`.
"""
