"""One typed view of a patch on this PC: its file on the way, and what becomes of it after. Pure.

`status`, `why` and the reports to the server are projections of it (`projections`). None of them looks at a transfer
or at the plan itself: so they cannot contradict each other.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from p2pdist.install.plan import PlanRow
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.wire.bitfield import PieceSet
from p2pdist.shared.wire.messages import InstallState, PatchState
from p2pdist.transfer.faults import TransferFault
from p2pdist.transfer.states import TransferRecord


@dataclass(frozen=True, slots=True)
class FileView:
    """A patch's file, as far as it has come."""

    title: str
    severity: str
    sequence: int
    """Its place in the order of publication."""
    length_bytes: int
    record: TransferRecord
    state: PatchState
    progress: float
    """Share of the file that is on disk, 0 to 1."""
    seconds: float
    """From first seen to proven, or to now."""
    path: str
    """Where the file is once it is proven."""
    fault: TransferFault | None = None
    """Why it failed the last time; None once it goes on."""
    origin_error: str = ""
    """Why the origin cannot serve it, while it cannot."""
    room_wait: str = ""
    """Why it waits for room on the disk, in words; empty: it does not."""
    left: bool = False
    """Whether it was proven here, and has left to make room."""
    queued: bool = False
    """Whether it waits for other patches, while it waits."""
    neighbours: int = 0
    """How many neighbours are connected for it."""
    missing: PieceSet = 0
    lan_have: PieceSet = 0
    """What connected neighbours have."""
    titles: Mapping[str, str] = field(default_factory=dict)
    """The title in other languages, by their codes."""
    since_line_seconds: float = math.inf
    """Time since the last piece came over the line; the next field: from a neighbour. Infinite: none came."""
    since_neighbour_seconds: float = math.inf

    @property
    def error(self) -> str:
        """Why it does not go on, in words; empty while nothing is wrong."""
        if self.fault is not None:
            return self.fault.text
        return self.origin_error if self.state == "fetching" else ""


@dataclass(frozen=True, slots=True)
class WithdrawnView:
    """What is left of a patch that was taken back."""

    reason: str
    """Why it was, in words."""
    at: float
    """When, in seconds since 1970."""
    install: InstallState = ""
    """What had become of it on this PC; empty: nothing."""
    removed: bool = False
    """Whether bytes of it were removed since the daemon was started: the server has not heard of that yet."""
    recalled: str = ""
    """What has come of going back, in words; empty: it does not go back."""
    replaced_by: str = ""
    """ID@VERSION of the newer one that was installed in its place; empty: none was."""


@dataclass(frozen=True, slots=True)
class NotYetView:
    """A patch that waits for its rollout to reach this PC."""

    title: str
    words: str
    """What it waits for."""
    until: float | None
    """When that ends by itself, in seconds since 1970; None: not by time alone."""
    titles: Mapping[str, str] = field(default_factory=dict)
    """The title in other languages, by their codes."""


@dataclass(frozen=True, slots=True)
class PatchView:
    """One patch that is, or was, rolled out to this PC; at least one of the five parts is there."""

    ref: PatchRef
    file: FileView | None = None
    """None: nothing of it is here or on its way."""
    plan: PlanRow | None = None
    """None: nothing is installed on this PC, or it cannot be taken."""
    refused: str = ""
    """Why it cannot be taken; empty: it can. If bytes of it are here all the same, they have a view of their own."""
    output: str = ""
    """The end of what its installer wrote, in one line; empty: nothing, or not known any more."""
    withdrawn: WithdrawnView | None = None
    """None: it is rolled out. Else the only part."""
    not_yet: NotYetView | None = None
    """None: it waits for no ring. What is on this PC of it already has its own parts."""

    @property
    def install(self) -> InstallState:
        """What has become of it beyond its file; empty: nothing is to be installed, or not known yet."""
        return "" if self.plan is None else self.plan.state

    @property
    def install_reason(self) -> str:
        """In words: what the installation waits for, or what has failed; empty while `install` is."""
        row = self.plan
        if row is None or not row.state:
            return ""
        restart = row.record is not None and row.record.state == "installed" and row.record.restart_boot is not None
        return f"{row.reason}, and this PC has to be restarted" if restart else row.reason

    @property
    def decided_by_plan(self) -> PlanRow | None:
        """The row of the plan, where it tells more than the file: the file is proven, or will never come. Else None."""
        row = self.plan
        if row is None or not row.state or (self.not_yet is not None and row.waits_for_rollout):
            return None
        if self.file is None:
            return row if row.candidate.not_applicable or row.older else None
        return row if self.file.state == "verified" and row.candidate.manifest.install is not None else None
