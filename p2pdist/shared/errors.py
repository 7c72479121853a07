"""Errors that a person reads, and the exit codes of every command. Pure."""

import enum


class ExitCode(enum.IntEnum):
    """Exit codes of `p2pdist` and `seed-server`; documented in the README."""

    OK = 0
    FAILED = 1
    """The command ran, and what it was to achieve did not happen."""
    USAGE = 2
    """The command line itself is wrong."""
    NOT_SET_UP = 3
    """The home directory is not initialised or not enrolled."""
    NOT_RUNNING = 4
    """The daemon (or server) that the command talks to is not running."""
    REFUSED = 5
    """The other side said no: token, certificate, signature."""
    UNREACHABLE = 6
    """The other side did not answer."""
    BAD_INPUT = 7
    """A file or value given by the user is not acceptable."""
    STORAGE = 8
    """The local disk is full or not readable or writable."""
    BUSY = 9
    """An address, lock or home is in use by another process."""


class UserError(Exception):
    """A failure with a cause that a person can act on.

    The text is one or two sentences: what happened and whose fault it is, then
    what to do next. Commands print it without a traceback and exit with
    ``exit_code``.
    """

    def __init__(self, message: str, exit_code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code
