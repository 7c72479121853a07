"""When each endpoint of a site is told of new metadata, and in which words. Pure."""

from collections import deque
from collections.abc import Sequence

from p2pdist.shared.identifiers import EndpointId, share_of
from p2pdist.shared.wire.features import TIMESTAMP
from p2pdist.shared.wire.fields import MAX_TOLD_TIMESTAMP_BYTES, Features
from p2pdist.shared.wire.messages import RepositoryChanged
from seed_server.origin.notices import Notices
from seed_server.signing.metadata import NewestTimestamp

RENEWAL_SPREAD = 1 / 8  # of a timestamp's life: it is renewed at half of that, and endpoints look by themselves at 3/8


class ChangeNotices:
    """The notices of one site; ``now`` is any clock in seconds."""

    def __init__(self) -> None:
        self._at_once: Notices[EndpointId] = Notices([], 0.0)
        self._in_time: deque[tuple[float, EndpointId]] = deque()
        """Of a renewed timestamp: (when, whom), the earliest first."""
        self._plain = self._with_timestamp = RepositoryChanged(timestamp_version=0)

    def changed(
        self, timestamp_version: int, renewed: NewestTimestamp | None, ranked: Sequence[EndpointId], now: float
    ) -> None:
        """Begin to tell ``ranked`` (all, the likeliest fetcher first) of a new timestamp, from `due` on.

        ``renewed``: the timestamp, where nothing else is new.
        """
        self._plain = self._with_timestamp = RepositoryChanged(timestamp_version=timestamp_version)
        if renewed is None:
            self._at_once = Notices(ranked, now, waiting=self._at_once.waiting)
            self._in_time.clear()
            return
        if len(renewed.data) <= MAX_TOLD_TIMESTAMP_BYTES:
            self._with_timestamp = RepositoryChanged(timestamp_version, renewed.data, renewed.root)
        seconds = renewed.life_seconds * RENEWAL_SPREAD
        self._in_time = deque(sorted((now + seconds * share_of(endpoint), endpoint) for endpoint in ranked))

    @property
    def waiting(self) -> bool:
        """Whether anybody is still to be told."""
        return bool(self._in_time) or bool(self._at_once.waiting)

    def due(self, now: float) -> list[EndpointId]:
        """Return those to tell now; each is returned once of a change."""
        told = self._at_once.due(now)
        while self._in_time and self._in_time[0][0] <= now:
            told.append(self._in_time.popleft()[1])
        return told

    def message(self, features: Features) -> RepositoryChanged:
        """Return the notice for an endpoint with these features."""
        return self._with_timestamp if TIMESTAMP in features else self._plain
