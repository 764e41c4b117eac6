"""`python -m disbursement run | migrate | openapi`."""

from disbursement.main import openapi, run
from disbursement.settings import Settings
from kit.command_line import main

main("disbursement", Settings, run, openapi)
