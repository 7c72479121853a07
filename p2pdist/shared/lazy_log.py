"""The log of modules that commands load, too: its library is loaded with the first line, so that they start sooner."""

from collections.abc import Callable
from typing import Any

_before_first: list[Callable[[], None]] = []


class LazyLog:
    """What `structlog.get_logger` returns, got when a line is written."""

    def __getattr__(self, method: str) -> Any:
        """Return the method that writes a line."""
        import structlog

        configure_now()
        return getattr(structlog.get_logger(), method)


def lazy_log() -> Any:
    """Return the log of a module that commands load, too."""
    return LazyLog()


def before_first_line(configure: Callable[[], None]) -> None:
    """Let ``configure`` be called before the first line, and not at all where there is none."""
    _before_first[:] = [configure]


def configure_now() -> None:
    """Call it, where it was not yet."""
    while _before_first:
        _before_first.pop()()


def forget_log() -> None:
    """Leave the log to whoever configures it next."""
    _before_first.clear()
