"""`python -m disbursement run | migrate | check | settings | openapi`."""

from disbursement.settings import Settings
from kit.command_line import main

main("disbursement", Settings)
