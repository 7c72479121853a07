"""Errors that a person reads, and their kinds. Pure."""

import enum
from typing import TypeVar, overload

Error = TypeVar("Error", bound=BaseException)


class FaultKind(enum.StrEnum):
    """The kind of a failure, for programs: command lines map it to exit codes, the web port to HTTP statuses."""

    FAILED = "failed"
    """It was tried and did not succeed."""
    USAGE = "usage"
    """The call itself is wrong: an option is missing."""
    NOT_SET_UP = "not_set_up"
    """The home directory is not initialised or not enrolled."""
    NOT_RUNNING = "not_running"
    """The daemon or server that was asked is not running."""
    REFUSED = "refused"
    """The other side refused, or was refused: token, certificate, signature."""
    UNREACHABLE = "unreachable"
    """The other side did not answer."""
    BAD_INPUT = "bad_input"
    """A file or value from the user is not acceptable."""
    STORAGE = "storage"
    """The local disk is full or not readable or writable."""
    BUSY = "busy"
    """An address, lock or home is in use by another process."""


class UserError(Exception):
    """A failure with a cause that a person can act on.

    The text is one or two sentences: what happened and whose fault it is, then
    what to do next. Programs decide by ``kind``, never by the text.
    """

    def __init__(self, message: str, kind: FaultKind = FaultKind.FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind


@overload
def first_error(error: BaseExceptionGroup[Error]) -> Error: ...
@overload
def first_error(error: BaseException) -> BaseException: ...
def first_error(error: BaseException) -> BaseException:
    """Return the first error within groups of them, as nurseries raise them; one that is no group is returned."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
