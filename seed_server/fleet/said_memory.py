"""What PCs say of patches, as it was lately: for lists of patches on pages.

To count it for 300 patches with 25,000 PCs takes a fifth of a second, and to read which PCs they are some milliseconds
for each. Each look reads a few anew, those first that are oldest, and no more than it must: what is older than
`SAID_MOST_SECONDS` is shown to nobody.
"""

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from p2pdist.shared.identifiers import PatchRef
    from seed_server.store.intelligence_records import SaidCounts

T = TypeVar("T")

SAID_FRESH_SECONDS = 30.0  # so long nothing is read anew
SAID_MOST_SECONDS = 900.0  # how urgent a patch is moves by days; its own page reads it as it is now
SAID_AT_ONCE = 4  # patches that one look reads anew: some 30 ms with 25,000 PCs
MOST_SAID_PATCHES = 5_000  # that are remembered: a set has 3 kB with 25,000 PCs


class SaidMemory(Generic[T]):
    """One thing that PCs of one home have said of each patch, as it was when it was read last."""

    def __init__(self) -> None:
        self._reading = threading.Lock()
        self._said: dict[PatchRef, tuple[float, T | None]] = {}

    def said(
        self,
        now: float,
        refs: Collection["PatchRef"],
        read: Callable[[Collection["PatchRef"]], Mapping["PatchRef", T]],
    ) -> dict["PatchRef", T]:
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


@dataclass(frozen=True)
class SaidLately:
    """What PCs of one home have said of patches."""

    counts: "SaidMemory[SaidCounts]" = field(default_factory=SaidMemory)
    not_for_them: SaidMemory[int] = field(default_factory=SaidMemory)
    """The set of the PCs that say so, as the next one."""
    done: SaidMemory[int] = field(default_factory=SaidMemory)
