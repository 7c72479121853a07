"""What the network part writes to its standard error, passed on to the daemon's: as lines that draw nothing, and few.

It has no descriptor of the daemon's own log: it could write there whatever it likes, or cut it.
"""

import sys

import trio

from p2pdist.shared.printable_text import printable

MAX_LOG_LINE_BYTES = 8_192  # a traceback of nested groups; longer lines are cut
BYTES_PER_SECOND, MAX_BURST_BYTES = 5_000, 64 << 10  # a busy start and a crash fit; a flood does not fill a disk


class LogBudget:
    """How many bytes may be passed on; ``now`` is any clock in seconds that does not go back. Pure."""

    def __init__(self, now: float) -> None:
        self._left = float(MAX_BURST_BYTES)
        self._at = now
        self._left_out = 0

    def line(self, text: str, now: float) -> str:
        """Return what to write for one line; empty when it is over the budget."""
        self._left = min(MAX_BURST_BYTES, self._left + (now - self._at) * BYTES_PER_SECOND)
        self._at = now
        if self._left < len(text):
            self._left_out += 1
            return ""
        self._left -= len(text)
        note = f" [{self._left_out} lines before this one were left out]" if self._left_out else ""
        self._left_out = 0
        return f"{text}{note}\n"


async def pass_on(stream: trio.abc.ReceiveStream) -> None:
    """Write each line of ``stream`` to standard error, until it ends."""
    budget, rest = LogBudget(trio.current_time()), b""
    async for data in stream:
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            _write(budget, line)
        if len(rest) > MAX_LOG_LINE_BYTES:
            _write(budget, rest)
            rest = b""
    if rest:
        _write(budget, rest)


def _write(budget: LogBudget, line: bytes) -> None:
    text = budget.line(printable(line[:MAX_LOG_LINE_BYTES].decode(errors="replace")), trio.current_time())
    if text:
        sys.stderr.write(text)
        sys.stderr.flush()
