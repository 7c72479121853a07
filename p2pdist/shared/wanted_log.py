"""The log of a command, which is configured with its first line: few commands write any."""

import logging

from p2pdist.shared.lazy_log import before_first_line, configure_now


def want_log(level: str) -> None:
    """Let the first line, of ours or of a library, configure the log as `logs.configure_log` does."""

    def configure() -> None:
        from p2pdist.shared.logs import configure_log

        configure_log(level)

    before_first_line(configure)
    logging.basicConfig(handlers=[_OfLibraries(logging.WARNING)])


class _OfLibraries(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        configure_now()
        self._log().emit(record)

    def _log(self) -> logging.Handler:
        if not hasattr(self, "_found"):
            from p2pdist.shared.logs import LibraryLog

            self._found = LibraryLog()
        return self._found
