"""PCs that are not enrolled here and show a certificate that this server's authority has signed."""

from collections.abc import Callable

from p2pdist.shared.errors import UserError
from seed_server.fleet.restoring import is_of_the_lost_time, issued_at
from seed_server.origin.connection import OriginConnection
from seed_server.service.messages import UnknownPc
from seed_server.settings.home import ServerHome
from seed_server.store.restored_mark import read_mark

CATCHING_UP = (
    "this server was restored from a backup, and learns from its PCs what came after that: try again in minutes"
)
TAKING_BACK = "this server was restored from a backup of before this PC enrolled: it is being taken back, try again"


class UnknownPcs:
    """Says whether one that is not enrolled may be taken back: after a restore, as the web part decides."""

    def __init__(self, home: ServerHome, tell: Callable[[UnknownPc], None]) -> None:
        self._home = home
        self._tell = tell

    def why_later(self, connection: OriginConnection, hostname: str) -> str:
        """Return why such a PC is to try again, in words; empty: it is not enrolled. Reads a small file."""
        try:
            mark = read_mark(self._home)
        except UserError:
            return ""
        issued = issued_at(connection.certificate_expires_at)
        if mark is None or not is_of_the_lost_time(mark, issued):
            return ""
        if mark.catching_up:
            return CATCHING_UP
        self._tell(UnknownPc(connection.endpoint, hostname, connection.address, max(0.0, issued)))
        return TAKING_BACK
