"""Grafana's boards, defined in Python: what each panel asks, and how it is shown.

``python -m deploy.grafana`` writes the dashboards' JSON and docs/reference/dashboards.md, ``--check`` only compares.
"""
