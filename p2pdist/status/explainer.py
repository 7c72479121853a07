"""Why each patch is not here yet, and how long it has waited for which reason."""

from collections.abc import Callable, Iterable

import trio

from bandwidth.core.reason_seconds import ReasonSeconds
from p2pdist.limiter.lan_limiter import LanLimiter
from p2pdist.local_api.delivery_answers import WhyAnswer
from p2pdist.origin.connection import ServerConnection
from p2pdist.shared.clock import Clock
from p2pdist.shared.identifiers import TorrentHash
from p2pdist.status.patches import Patches
from p2pdist.status.projections import Waiting, why_patch
from p2pdist.status.reasons import WHOLE_ANSWERS, WhyReason
from p2pdist.status.view import FileView
from p2pdist.status.why import Circumstances, ServerSays, why

NOTE_SECONDS = 1.0
IDLE_NOTE_SECONDS = 10.0  # when every patch is here


class Explainer:
    """Counts what each file waits for, and answers `p2pdist why`. Runs in the daemon's trio thread."""

    def __init__(
        self,
        patches: Patches,
        origin: ServerConnection,
        limiter: LanLimiter,
        clock: Clock,
        *,
        fetches: bool,
        installs: bool,
        server_says: Callable[[], ServerSays],
    ) -> None:
        """Keep the sources. ``fetches`` and ``installs`` are what the configuration says.

        ``server_says``: what it has said of the line, and of this PC's identity.
        """
        self._patches = patches
        self._origin = origin
        self._limiter = limiter
        self._fetches = fetches
        self._installs = installs
        self._server_says = server_says
        self._clock = clock
        self._seconds: dict[TorrentHash, ReasonSeconds[WhyReason]] = {}

    async def run(self) -> None:
        """Count, until cancelled."""
        while True:
            waiting = self.note(self._patches.files(), trio.current_time())
            await trio.sleep(NOTE_SECONDS if waiting else IDLE_NOTE_SECONDS)

    def note(self, files: Iterable[FileView], now: float) -> bool:
        """Count what holds up each file now; return whether anything is still under way."""
        around = self.circumstances()
        known, self._seconds = self._seconds, {}
        waiting = False
        for file in files:
            reason = why(file, around)
            waiting |= reason not in WHOLE_ANSWERS
            counted = self._seconds[_key(file)] = known.get(_key(file), ReasonSeconds())
            counted.note(reason, now)
        return waiting

    def circumstances(self) -> Circumstances:
        """Return what concerns every patch now."""
        limiter, said = self._limiter, self._server_says()
        return Circumstances(
            lan=limiter.decision.download.reason,
            blackout_ends=limiter.blackout_words(),
            server_connected=self._origin.connected,
            server_status=self._origin.status,
            line_yields=said.line_yields,
            line_spared=said.line_spared,
            fetches=self._fetches,
            profile_lets_fetch=limiter.profile_lets_fetch,
            refusal=limiter.fetch_refusal,
            helps_less=limiter.helps_less,
            installs=self._installs,
            large_packets_lost=said.large_packets_lost,
            refused_as_copy=said.refused_as_copy,
            copies=said.copies,
        )

    def answer(self) -> WhyAnswer:
        """Return the answer to `p2pdist why`: every patch that is rolled out to this PC."""
        now, views, around = trio.current_time(), self._patches.views(), self.circumstances()
        self.note([view.file for view in views if view.file is not None], now)
        rows = (why_patch(view, self._waiting(view.file, now), around, self._clock.now()) for view in views)
        return WhyAnswer([row for row in rows if row is not None])

    def _waiting(self, file: FileView | None, now: float) -> Waiting | None:
        counted = None if file is None else self._seconds[_key(file)]
        if counted is None or counted.reason is None:
            return None
        seconds = {str(r): round(s, 1) for r, s in counted.seconds().items() if r not in WHOLE_ANSWERS}
        return Waiting(counted.reason, now - counted.since, seconds)


def _key(file: FileView) -> TorrentHash:
    return TorrentHash(file.record.torrent_hash)
