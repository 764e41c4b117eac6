"""`python -m intake run | migrate | check | settings | openapi`."""

from intake.settings import Settings
from kit.command_line import main

main("intake", Settings)
