"""`python -m metrics run | migrate | openapi`."""

from kit.command_line import main
from metrics.main import openapi, run
from metrics.settings import Settings

main("metrics", Settings, run, openapi)
