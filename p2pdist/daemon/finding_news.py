"""Tells the server what is wrong with this PC and its network: on each connection, and when that has changed."""

from collections.abc import Callable, Sequence

from p2pdist.daemon.state import DaemonState
from p2pdist.local_api.delivery_answers import PeersAnswer, ProblemCode
from p2pdist.shared.clock import Clock
from p2pdist.shared.wire.pc_findings import FINDING_CODES, PcFindings
from p2pdist.status.neighbourhood import callers_come_in, neighbourhood

AGAIN_SECONDS = 300.0  # what comes and goes by the second tells nobody anything


class FindingNews:
    """What the server has been told."""

    def __init__(self, state: DaemonState, codes: Callable[[], Sequence[str]], clock: Clock) -> None:
        """``codes``: what is wrong now."""
        self._state = state
        self._codes = codes
        self._clock = clock
        self._welcomes = 0
        self._told: tuple[str, ...] = ()
        self._next_at = 0.0

    def news(self) -> list[PcFindings]:
        """Return what the server shall hear now: nothing, or one message."""
        if not self._state.takes_findings:
            return []
        now, anew = self._clock.monotonic(), self._welcomes != self._state.welcomes
        if anew:  # neighbours are not known yet, and neither is what is wrong with the way to them
            self._welcomes, self._told, self._next_at = self._state.welcomes, ("?",), now + AGAIN_SECONDS / 5
            return []
        if now < self._next_at:
            return []
        self._next_at = now + AGAIN_SECONDS
        found = set(self._codes())
        codes = tuple(code for code in FINDING_CODES if code in found)
        if codes == self._told:
            return []
        self._told = codes
        return [PcFindings(codes)]


def finding_codes(problems: Sequence[ProblemCode], peers: PeersAnswer, *, by_vpn: bool) -> list[str]:
    """Return what is wrong, by what `p2pdist status` and `p2pdist peers` say."""
    around = neighbourhood(peers.peers)
    network = {
        "unheard": around.is_unheard,
        "cut_off": around.is_cut_off,
        "lan_incoming": callers_come_in(peers.callers) is False,
        "vpn": by_vpn,
    }
    return [*problems, *(code for code, is_so in network.items() if is_so)]
