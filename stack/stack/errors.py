"""You are where the stack says what went wrong: one line for the person, with what to do next."""


class StackError(Exception):
    """Something outside the code is in the way. The message is one line and ends with the way out."""

    exit_code = 1


class ConfigurationError(StackError):
    """A flag, variable or file of the operator's is wrong or missing (sysexits' EX_CONFIG)."""

    exit_code = 78
