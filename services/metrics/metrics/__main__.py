"""`python -m metrics run | migrate | check | settings | openapi`."""

from kit.command_line import main
from metrics.settings import Settings

main("metrics", Settings)
