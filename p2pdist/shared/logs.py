"""The log of both programs' processes: to standard error, one line an event, harmless on a terminal."""

import io
import logging
import sys
import threading
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from p2pdist.shared.clock import Clock
from p2pdist.shared.lazy_log import forget_log
from p2pdist.shared.log_limit import LogLimit
from p2pdist.shared.printable_text import escaped, printable_lines
from p2pdist.shared.repeated_lines import RepeatedLines, key_of


class LibraryLog(logging.Handler):
    """Brings libraries' warnings into our log; by itself, Python would write them to standard error as they are.

    Strangers' packets cause some of them, so each place of a library has one line a minute.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._limit = LogLimit()

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record with its library's name, if its place is not over the limit."""
        if line := self._limit.line(record.name, f"{record.pathname}:{record.lineno}", record.created):
            details = {"library": record.name, "left_out": line.left_out, "exc_info": record.exc_info}
            structlog.get_logger().log(record.levelno, record.getMessage(), **details)


class RepeatFilter:
    """Leaves out lines that repeat, and counts them in ``left_out`` of the next one (a processor of structlog)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines = RepeatedLines()
        self._lock = threading.Lock()  # worker threads log too

    def __call__(self, _logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Return the line to write. Raises `structlog.DropEvent`: it is left out."""
        counted = int(event.get("left_out", 0))  # by a limit for its own kind of line
        with self._lock:
            left_out = self._lines.count(key_of(method, event), self._clock.monotonic(), counted)
        if left_out is None:
            raise structlog.DropEvent
        if left_out or "left_out" in event:
            event["left_out"] = left_out
        return event


def configure_log(level: str, clock: Clock | None = None) -> None:
    """Log to standard error: coloured for a terminal, one line of key=value otherwise. Libraries' warnings come too.

    With a ``clock``, lines that repeat are limited: for what runs for days.
    """
    forget_log()  # a command's own, which would come with the first line
    on_terminal = sys.stderr.isatty()
    renderer: Any = (
        # rich's tracebacks, the default, show local variables (keys and tokens among them), and take seconds to draw
        structlog.dev.ConsoleRenderer(exception_formatter=_plain_traceback)
        if on_terminal
        else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            *([] if clock is None else [RepeatFilter(clock)]),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%SZ", utc=True),
            *([] if on_terminal else [structlog.processors.format_exc_info]),  # the terminal's does it itself
            _escaped_values,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,  # standard error may be replaced later, as in a test
    )
    logging.basicConfig(handlers=[LibraryLog()])


def _escaped_values(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take from a line of the log what would move a cursor, or pass for another line."""
    plain = (bool, int, float, type(None))
    for key, value in event.items():
        if key == "exception":
            event[key] = printable_lines(value)
        elif key != "exc_info" and not isinstance(value, plain):
            event[key] = escaped(str(value))
    return event


def _plain_traceback(stream: TextIO, exc_info: Any) -> None:
    structlog.dev.plain_traceback(text := io.StringIO(), exc_info)
    stream.write(printable_lines(text.getvalue()))
