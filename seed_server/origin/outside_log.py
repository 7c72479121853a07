"""Log lines that an endpoint can cause: once a minute for each endpoint and event, with the number left out."""

import structlog
import trio

from p2pdist.shared.log_limit import LogLimit

log = structlog.get_logger()


class OutsideLog:
    """The origin port's log of what endpoints do; all parts of the port share one."""

    def __init__(self) -> None:
        self._limit = LogLimit()

    def fields(self, event: str, source: str, **fields: object) -> dict[str, object] | None:
        """Return what to log of ``event``; None when ``source`` has had its line within the last minute."""
        line = self._limit.line(event, source, trio.current_time())
        if line is None:
            return None
        left_out = {"left_out": line.left_out} if line.left_out else {}
        return {"source": line.source, **fields, **left_out}

    def info(self, event: str, source: str, **fields: object) -> None:
        """Log ``event`` of ``source``, an endpoint or an address, unless it has had its line."""
        if (told := self.fields(event, source, **fields)) is not None:
            log.info(event, **told)

    def warning(self, event: str, source: str, **fields: object) -> None:
        """As `info`, of what the operator should look at."""
        if (told := self.fields(event, source, **fields)) is not None:
            log.warning(event, **told)
