"""A connection of which nothing is known yet: it makes room for others when there are too many."""

import contextlib
from dataclasses import dataclass

from seed_server.line.tcp_info import has_sent
from seed_server.ports.tls_stream import TlsStream


@dataclass(frozen=True, eq=False)
class Handshaking:
    """A connection that has not shown its certificate or said hello."""

    stream: TlsStream

    def is_silent(self) -> bool:
        """Whether it has not said a word."""
        return not has_sent(self.stream.socket)

    def end(self) -> None:
        """End it at once."""
        with contextlib.suppress(OSError):  # it is gone already
            self.stream.end()
