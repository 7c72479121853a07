"""Puts together the view of every patch on this PC, as of now."""

from collections.abc import Callable
from pathlib import Path

import trio

from p2pdist.install.service import Patching
from p2pdist.shared.clock import Clock
from p2pdist.status.view import PatchView, views_of
from p2pdist.transfer.manager import Transfers
from p2pdist.transfer.transfer import Transfer
from p2pdist.trust.catalogue import RefusedPatch


class Patches:
    """Looks at the transfers, the plan and the catalogue. Runs in the daemon's trio thread."""

    def __init__(
        self,
        verified: Path,
        transfers: Transfers,
        patching: Patching,
        clock: Clock,
        *,
        refused: Callable[[], list[RefusedPatch]],
    ) -> None:
        """Keep the sources. ``verified`` is the directory of proven files; ``refused`` returns what cannot be taken."""
        self._verified = verified
        self._transfers = transfers
        self._patching = patching
        self._clock = clock
        self._refused = refused

    def views(self) -> list[PatchView]:
        """Return the view of each patch."""
        return views_of(
            self._transfers.everything(),
            self._patching.plan(),
            self._refused(),
            path_of=self._path_of,
            now=trio.current_time(),
            wall_time=self._clock.now(),
        )

    def _path_of(self, transfer: Transfer) -> str:
        return str(transfer.verified_path(self._verified))
