"""ISO 20022 files: payment orders out (``pain001.write``), the bank's reports in (``reading.read``). Pure: no clock.

The formats are held to the official schemas in ``schemas/``. Nothing here knows of tables or HTTP.
"""
