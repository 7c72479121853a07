"""What is kept of a pair and of a run. Pure."""

import msgspec

from bench.delta.cases import Case, fingerprint
from bench.lab.records import Business, Processor


class PairFacts(msgspec.Struct, frozen=True):
    """What a pair is, and what publishing it takes; lengths in bytes."""

    pair: str
    shipped_sha256: tuple[str, str]
    """Of the former and the new file, as their publishers ship them."""
    stored_sha256: tuple[str, str]
    """As ``publish --repack`` stores them."""
    shipped_bytes: tuple[int, int]
    stored_bytes: tuple[int, int]
    expected_bytes: int | None
    """What publishing said that it expects to cross each line where a PC has the former version; None: nothing."""
    left_alone: str
    """Why the new file is stored as it is shipped; empty: it is unpacked."""
    publish_seconds: float
    """``publish --repack`` of the new version, the former one being there."""
    plain_seconds: float
    """``publish`` of the shipped file, with no former version."""
    stored_seconds: float
    """``publish`` of the stored file as it is, with no former version: what so many bytes take."""
    foretold_seconds: float
    """The same with a former version: what foretelling takes."""
    limit_bytes: int | None = None
    """What ``zstd -19 --patch-from`` makes of the new stored file, with the former stored one at hand; None: that has
    not been computed yet."""


class PcFigures(msgspec.Struct, frozen=True):
    """One PC of a run, its daemon and its network part together; bytes as it counts them itself."""

    had_former: bool
    seconds: float | None
    """From the end of publishing until it had proven the file."""
    bytes_from_origin: int
    bytes_from_peers: int
    bytes_built: int
    bytes_wasted: int
    cpu_seconds: float
    """From before publishing until all PCs had the file."""
    memory_before_bytes: int
    memory_peak_bytes: int


class DeltaRun(msgspec.Struct, frozen=True):
    """One run of a case."""

    case: Case
    fingerprint: str
    version: str
    revision: str
    measured_at: float
    """Seconds since 1970."""
    payload_bytes: int
    """Of what was published."""
    former_bytes: int
    publish_seconds: float
    seconds: float | None
    """From the end of publishing to the last PC; None: not all of them had it in time."""
    line_bytes: int
    """Towards the PCs, above TCP and UDP, as the line counts: TLS, control messages and retransmissions are in it."""
    sent_bytes: int
    """Of this patch to the site, as the server counts; coded pieces as they are sent."""
    pcs: list[PcFigures]
    processor: Processor
    alone: Business | None = None
    beside: Business | None = None

    @property
    def is_current(self) -> bool:
        """Whether it is of the case and the files as they are defined now. Raises `LookupError` for no pair."""
        return self.fingerprint == fingerprint(self.case)

    @property
    def total_seconds(self) -> float | None:
        """From the beginning of publishing to the last PC."""
        return None if self.seconds is None else self.seconds + self.publish_seconds
