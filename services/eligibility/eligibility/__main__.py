"""`python -m eligibility run | migrate | check | settings | openapi`, and `validate PATH...` for policy documents."""

import sys

from eligibility.settings import Settings
from kit.command_line import main

if sys.argv[1:2] == ["validate"]:
    from eligibility.validation import validate

    sys.exit(validate(sys.argv[2:]))
main("eligibility", Settings)
