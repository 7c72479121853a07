"""The rows of what is counted and shown in pages, as the rest of the server knows them. Pure.

Times are seconds since 1970.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.wire.codec import Record

MAX_PAGE_ROWS = 1000

Said: TypeAlias = tuple[str, str]
"""What a PC says of a patch: the state of its file, and of its installation."""


class PatchHead(Record, frozen=True):
    """A published patch, without its payloads."""

    number: int
    """What the tables call it."""
    patch_id: str
    version: str
    title: str
    severity: str
    sequence: int
    published_at: float
    emergency: bool
    length_bytes: int
    """Of its first payload."""

    @property
    def ref(self) -> PatchRef:
        """Which patch it is."""
        return PatchRef(self.patch_id, self.version)


class EndpointCounts(Record, frozen=True):
    """How many PCs are how."""

    everyone: int
    """Denied ones too, as in the next three."""
    connected: int
    claiming: int
    """They claim a site where they are not seen."""
    shared: int
    """Several PCs show their identity."""
    allowed: int
    """PCs that are not denied, as in the next two."""
    allowed_connected: int
    refusing: int
    """They are connected, and refuse what is signed here."""
    refusing_host: str = ""
    """The name of one of these."""
    refuses: str = ""
    """What that one says."""


class FleetCounts(Record, frozen=True):
    """One look at how PCs stand to patches."""

    endpoints: EndpointCounts
    states: Mapping[int, Mapping[Said, int]]
    """By the patch's number; who has never said a word of it is in none."""
    connected: Mapping[int, int]
    """Of those that are under way, by the patch's number: how many are connected."""


class ReasonCount(Record, frozen=True):
    """How many PCs give the same reason."""

    patch: int
    of_install: bool
    """Whether it is about the installation; else it is about the file."""
    state: str
    reason: str
    endpoints: int
    examples: Sequence[tuple[str, str]] = ()
    """The id and the host name of some of them."""
    output: str = ""
    """What the installer of the first one wrote."""


class FinishedLately(Record, frozen=True):
    """How many PCs have come to the end of a patch lately."""

    installed: int
    delivered: int
    since: float
    """From when on they are counted, seconds since 1970."""


class SaidReasons(Record, frozen=True):
    """Some of the reasons that PCs give, in English as they are kept."""

    of_install: Mapping[int, str]
    """By the text's number."""
    of_file: frozenset[str]

    def has(self, reasons: Iterable[str]) -> bool:
        """Return whether one of these is among them."""
        return any(one in self.of_file or one in self.of_install.values() for one in reasons)


class StandingFilter(Record, frozen=True):
    """Which PCs are meant; what is None tells nobody apart."""

    said: frozenset[Said] | None = None
    """What they say of the patch; None: whatever that is."""
    silent: bool = True
    """Also those that say nothing of it."""
    connected: bool | None = None
    site: int | None = None
    reasons: SaidReasons | None = None
    """Of which they give one."""

    def gives(self, reason: ReasonCount) -> bool:
        """Return whether somebody who is meant may give this reason."""
        of_it = 1 if reason.of_install else 0
        known = self.said is None or any(said[of_it] == reason.state for said in self.said)
        return known and (self.reasons is None or self.reasons.has([reason.reason]))


class PcStanding(Record, frozen=True):
    """One PC and one patch. Times are seconds since 1970."""

    endpoint: int
    """The PC's number in the tables."""
    patch: int
    endpoint_id: str
    hostname: str
    site: str
    connected: bool
    last_seen_at: float
    """0.0 when it has never connected."""
    denied: bool = False
    state: str = ""
    """Of the file; empty: it has never said a word of the patch, and the rest means nothing."""
    install: str = ""
    install_reason: str = ""
    error: str = ""
    install_output: str = ""
    progress: float = 0.0
    bytes_from_origin: int = 0
    bytes_from_peers: int = 0
    bytes_wasted: int = 0
    bytes_built: int = 0
    seconds: float = 0.0
    reported_at: float = 0.0

    @property
    def said(self) -> Said | None:
        """What it says; None: nothing."""
        return (self.state, self.install) if self.state else None

    @property
    def reasons(self) -> list[str]:
        """What it gives as reasons: for the file, and for the installation."""
        of_install = self.install_reason if self.install not in ("", "installed") else ""
        return [one for one in (self.error, of_install) if one]
