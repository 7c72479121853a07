"""Steps of PCs as numbers, what these numbers stand for, and which steps somebody seeks. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from p2pdist.shared.wire.codec import Record
from seed_server.store.pc_names import PcName
from seed_server.store.tables import REPORTED_SINCE, states_of


class PcEvent(NamedTuple):
    """One step of a PC, in the order in which a month is read: by PC, then by time."""

    endpoint: int
    at: int
    """In seconds since `tables.REPORTED_SINCE`."""
    patch: int
    site: int
    """Where the PC was then; 0: not known."""
    text: int
    """Why, as a number of a text; 0: nothing is kept of that."""
    said: int


EventKey = tuple[int, int, int]
"""The first three of a `PcEvent`: no other one has them."""


class EventNames(Record, frozen=True):
    """What the numbers of events stand for; those that nobody knows any more are missing."""

    endpoints: dict[int, tuple[str, str]]
    """The id and the host name."""
    patches: dict[int, tuple[str, str]]
    """The id and the version."""
    sites: dict[int, str]
    texts: dict[int, str]


@dataclass
class EventNumbers:
    """The numbers that some events have."""

    endpoints: set[int] = field(default_factory=set)
    patches: set[int] = field(default_factory=set)
    sites: set[int] = field(default_factory=set)
    texts: set[int] = field(default_factory=set)

    def note(self, events: Iterable[PcEvent]) -> None:
        """Add those of further events."""
        for event in events:
            self.endpoints.add(event.endpoint)
            self.patches.add(event.patch)
            self.sites.add(event.site)
            self.texts.add(event.text)


class Sought(Record, frozen=True):
    """Which events are sought, in numbers; None: any."""

    endpoints: frozenset[int] | None = None
    patches: frozenset[int] | None = None
    sites: frozenset[int] | None = None
    since: int | None = None
    """The first moment."""
    until: int | None = None
    """The first moment that is not sought any more."""

    def fits(self, event: PcEvent) -> bool:
        """Whether it is one of them."""
        return (
            (self.endpoints is None or event.endpoint in self.endpoints)
            and (self.patches is None or event.patch in self.patches)
            and (self.sites is None or event.site in self.sites)
            and (self.since is None or event.at >= self.since)
            and (self.until is None or event.at < self.until)
        )

    def may_be_in(self, first: int, last: int, begin: int, end: int) -> bool:
        """Whether there may be one among PCs from ``first`` to ``last``, and moments from ``begin`` to ``end``."""
        return (
            not self.nothing
            and (self.since is None or end >= self.since)
            and (self.until is None or begin < self.until)
            and (self.endpoints is None or any(first <= number <= last for number in self.endpoints))
        )

    @property
    def nothing(self) -> bool:
        """Whether there can be no such event."""
        return frozenset() in {self.endpoints, self.patches, self.sites}


class Asked(Record, frozen=True):
    """Which events are sought, in words; empty: any."""

    endpoint: str = ""
    """What a `PcName` is made of: all PCs that it names are meant, one after the other had that name."""
    patch_id: str = ""
    version: str = ""
    site: str = ""
    since: int | None = None
    """As of `Sought`."""
    until: int | None = None

    def within(self, names: EventNames) -> Sought:
        """Return the same in the numbers of these names."""
        endpoints = patches = sites = None
        if self.endpoint:
            pcs = ((number, *known) for number, known in names.endpoints.items())
            endpoints = frozenset(PcName(self.endpoint).all(pcs))
        if self.patch_id:
            patches = frozenset(
                number
                for number, (patch_id, version) in names.patches.items()
                if patch_id == self.patch_id and self.version in {"", version}
            )
        if self.site:
            sites = frozenset(number for number, name in names.sites.items() if name == self.site)
        return Sought(endpoints, patches, sites, self.since, self.until)


class HistoryRow(Record, frozen=True):
    """One step of a PC with a patch, in words."""

    at: float
    """Seconds since 1970."""
    endpoint_id: str
    """Empty: nobody knows any more who it was."""
    hostname: str
    site: str | None
    """Where the PC was then; None: not known."""
    patch_id: str
    version: str
    state: str
    install: str
    because: str
    """Why, in the PC's words; empty: nothing is kept of that."""


def worded(event: PcEvent, names: EventNames) -> HistoryRow:
    """Return an event in words; what a number stood for that nobody knows any more is empty."""
    endpoint_id, hostname = names.endpoints.get(event.endpoint, ("", ""))
    patch_id, version = names.patches.get(event.patch, ("", ""))
    state, install = states_of(event.said)
    return HistoryRow(
        at=float(event.at + REPORTED_SINCE),
        endpoint_id=endpoint_id,
        hostname=hostname,
        site=names.sites.get(event.site),
        patch_id=patch_id,
        version=version,
        state=state,
        install=install,
        because=names.texts.get(event.text, ""),
    )
