"""`python -m eligibility run | migrate | openapi`."""

from eligibility.main import openapi, run
from eligibility.settings import Settings
from kit.command_line import main

main("eligibility", Settings, run, openapi)
