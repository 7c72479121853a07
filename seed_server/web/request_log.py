"""What the web port writes to the log: whoever asks and however often, a line a minute for each reason and address."""

import structlog

from p2pdist.shared.clock import Clock
from p2pdist.shared.identifiers import FILE_NAME_MAX_BYTES
from p2pdist.shared.log_limit import LogLimit
from seed_server.ports.address_block import address_block
from seed_server.web.client import Client

_REFUSED = "request refused"
_FAILED = "request failed"

log = structlog.get_logger()


class RequestLog:
    """Writes what went wrong with requests."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._limit = LogLimit()

    def refused(self, client: Client, path: str, reason: str) -> None:
        """Write that a request was refused through the client's own fault."""
        line = self._limit.line(_REFUSED, address_block(client.address), self._clock.monotonic())
        if line is not None:
            log.warning(_REFUSED, path=_short(path), address=client.address, reason=reason, **_and_more(line.left_out))

    def failed(self, client: Client, path: str, error: Exception, *, reason: str | None = None) -> None:
        """Write that a request failed through our fault; an error without a ``reason`` is a bug: with its traceback."""
        line = self._limit.line(_FAILED, address_block(client.address), self._clock.monotonic())
        if line is None:
            return
        if reason is None:
            log.error(_FAILED, path=_short(path), exc_info=error, **_and_more(line.left_out))
        else:
            log.error(_FAILED, path=_short(path), reason=reason, **_and_more(line.left_out))


def _short(path: str) -> str:
    return path[:FILE_NAME_MAX_BYTES]


def _and_more(left_out: int) -> dict[str, int]:
    return {"left_out": left_out} if left_out else {}
