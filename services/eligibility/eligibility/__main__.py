"""`python -m eligibility run | migrate | openapi`."""

from eligibility.settings import Settings
from kit.command_line import main

main("eligibility", Settings)
