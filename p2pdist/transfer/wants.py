"""What the server is told of the torrents on this PC: each time only what it does not know yet."""

from collections.abc import Callable, Iterable

from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.wire.bitfield import all_pieces
from p2pdist.shared.wire.fields import FEW_PIECES
from p2pdist.shared.wire.messages import Holdings, Want
from p2pdist.transfer.states import giving_up, whole_torrents
from p2pdist.transfer.transfer import Transfer


class Wants:
    """What is still to be said; `Transfer.wanted` is what was said of each."""

    def __init__(self, can_fetch: Callable[[], bool]) -> None:
        self._can_fetch = can_fetch
        self._takes_holdings = False
        self._given_up: list[Want] = []
        """What the server does not know yet to be here no longer, though others shall have it."""

    def forget(self, transfers: Iterable[Transfer], *, takes_holdings: bool) -> None:
        """Say everything again: the server is a new one, or the same after a restart.

        ``takes_holdings``: it is told in one message of all that is complete.
        """
        self._takes_holdings = takes_holdings
        self._given_up = []
        for transfer in transfers:
            transfer.wanted = None
            transfer.origin_error = ""

    def give_up(self, torrent: TorrentHash) -> None:
        """Say that there is nothing of ``torrent`` here any more, though the server goes on to serve it."""
        self._given_up.append(giving_up(torrent))

    def take(self, transfers: Iterable[Transfer], now: float) -> list[Want | Holdings]:
        """Return what the server does not know yet of what is here of ``transfers``, and of what is gone."""
        news: list[Want | Holdings] = []
        held: list[TorrentHash] = []
        for transfer in transfers:
            if transfer.snapshot is None or not transfer.snapshot.piece_count or transfer.state == "checking":
                continue
            if transfer.state == "verifying" and transfer.snapshot.piece_count <= FEW_PIECES:
                transfer.wanted = None  # it is proven in a moment: then it is said together with the report of that
                continue
            want = transfer.want(transfer.snapshot, now, can_fetch=self._can_fetch())
            if want != transfer.wanted:
                transfer.wanted = want
                whole = transfer.snapshot.have == all_pieces(transfer.snapshot.piece_count)
                if whole and self._takes_holdings:
                    held.append(transfer.torrent_hash)
                else:
                    news.append(want)
        given_up, self._given_up = self._given_up, []
        return [*given_up, *whole_torrents(held), *news]
