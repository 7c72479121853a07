"""Which PCs say of which patch that it is done, or not for them, as it was lately: for lists of patches on pages.

To read that of one patch with 25,000 PCs takes some milliseconds, and a list has dozens, or all. Each look reads a few
anew, those first that are oldest, and no more than it must: what is older than `SAID_MOST_SECONDS` is shown to nobody.
"""

import threading
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from p2pdist.shared.identifiers import PatchRef
    from seed_server.store.intelligence_records import SaidByPcs

SAID_FRESH_SECONDS = 30.0  # so long nothing is read anew
SAID_MOST_SECONDS = 900.0  # how urgent a patch is moves by days; its own page reads it as it is now
SAID_AT_ONCE = 4  # patches that one look reads anew: some 30 ms with 25,000 PCs
MOST_SAID_PATCHES = 5_000  # that are remembered: 6 kB each with 25,000 PCs


class SaidMemory:
    """What PCs of one home have said, as it was when it was read last."""

    def __init__(self) -> None:
        self._reading = threading.Lock()
        self._said: dict[PatchRef, tuple[float, SaidByPcs | None]] = {}

    def said(
        self,
        now: float,
        refs: Collection["PatchRef"],
        read: Callable[[Collection["PatchRef"]], Mapping["PatchRef", "SaidByPcs"]],
    ) -> dict["PatchRef", "SaidByPcs"]:
        """Return what PCs say of these patches; who is in no row of ``read`` is left out, as there.

        Who asks meanwhile waits for one that reads.
        """
        with self._reading:
            ages = {ref: now - self._said[ref][0] if ref in self._said else SAID_MOST_SECONDS for ref in refs}
            due = [ref for ref, age in ages.items() if not 0 <= age < SAID_MOST_SECONDS]
            oldest = sorted((ref for ref, age in ages.items() if age >= SAID_FRESH_SECONDS), key=lambda ref: -ages[ref])
            if wanted := due or oldest[:SAID_AT_ONCE]:
                found = read(wanted)
                for ref in wanted:
                    self._said.pop(ref, None)
                    self._said[ref] = now, found.get(ref)
            kept = {ref: said for ref in refs if (said := self._said[ref][1]) is not None}
            while len(self._said) > MOST_SAID_PATCHES:
                del self._said[next(iter(self._said))]  # the one that was read longest ago
            return kept
