"""How far a patch has come in the whole fleet: every PC that is allowed here is in exactly one class. Pure."""

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from p2pdist.shared.identifiers import PatchRef
from seed_server.store.rows import EndpointRow, ReportRow


class Reached(enum.Enum):
    """What is known of a patch on one PC."""

    INSTALLED = "installed"
    """It says that the patch is installed."""
    DELIVERED = "delivered"
    """It has the proven file, and says of no installation: the patch is a file alone, or nothing is installed there."""
    UNDER_WAY = "under way"
    """It fetches, installs or waits, and is connected."""
    FAILED = "failed"
    """It cannot go on by itself: somebody has to act."""
    AWAY = "away"
    """It is not done, and not connected."""
    SILENT = "silent"
    """It has never said a word of the patch: connected or not, or never seen."""
    NOT_APPLICABLE = "not applicable"
    """The patch is not for it."""


class PublishedRow(Protocol):
    """A publication, as the database has it."""

    @property
    def ref(self) -> PatchRef:
        """Which patch it is."""

    @property
    def sequence(self) -> int:
        """The number of its rollout."""


@dataclass(frozen=True)
class Announced:
    """What PCs were told of the patches that are published."""

    offered: frozenset[PatchRef] | None
    """What they are offered now; None: it cannot be read."""
    withdrawn: Mapping[PatchRef, str] = field(default_factory=dict)
    """What was taken back, each with its reason."""
    cut_off: frozenset[PatchRef] = frozenset()
    """What they were never told of."""


FINISHED_INSTALLS = frozenset({"failed", "rolled_back"})


@dataclass(frozen=True)
class PatchCoverage:
    """The PCs of each class; denied PCs, and those that wait to be allowed, are in none."""

    by_class: Mapping[Reached, Sequence[EndpointRow]]

    def count(self, *classes: Reached) -> int:
        """Return how many PCs are in any of ``classes``."""
        return sum(len(self.by_class[one]) for one in classes)

    @property
    def total(self) -> int:
        """All PCs that are allowed here."""
        return self.count(*Reached)


def shown(state: str, install: str) -> str:
    """Return what has become of a patch: of its installation once its file is there, else of the file."""
    beyond = state == "verified" or install == "not_applicable"
    return install if install and beyond else state


def shown_state(report: ReportRow) -> str:
    """Return what has become of the patch that is reported on, as `shown`."""
    return shown(report.state, report.install)


_SETTLED = {
    "installed": Reached.INSTALLED,
    "verified": Reached.DELIVERED,
    "not_applicable": Reached.NOT_APPLICABLE,
    "failed": Reached.FAILED,
    "rolled_back": Reached.FAILED,
}


def settled(state: str, install: str) -> Reached | None:
    """Return the class of a PC that says so, connected or not; None: it is under way, or away."""
    if install in FINISHED_INSTALLS:
        return Reached.FAILED
    return _SETTLED.get(shown(state, install))


def reached(endpoint: EndpointRow, report: ReportRow | None, *, serving: bool) -> Reached:
    """Return the class of one PC."""
    if report is None:
        return Reached.SILENT
    return settled(report.state, report.install) or (
        Reached.UNDER_WAY if endpoint.connected and serving else Reached.AWAY
    )


def coverage(endpoints: Iterable[EndpointRow], reports: Iterable[ReportRow], *, serving: bool) -> PatchCoverage:
    """Return how far the patch of ``reports`` has come."""
    by_id = {report.endpoint_id: report for report in reports}
    classes: dict[Reached, list[EndpointRow]] = {one: [] for one in Reached}
    for endpoint in endpoints:
        if not endpoint.denied and not endpoint.pending:
            classes[reached(endpoint, by_id.get(endpoint.endpoint_id), serving=serving)].append(endpoint)
    return PatchCoverage(classes)


def replaced(patches: Iterable[PublishedRow], announced: Announced) -> dict[PatchRef, str]:
    """Return what is history: published, and offered no more as something newer is.

    Each with the version of its id that is offered now; empty: another patch has taken its place.
    """
    if announced.offered is None:
        return {}
    now = {ref.patch_id: ref.version for ref in announced.offered}
    gone = announced.offered | announced.withdrawn.keys() | announced.cut_off
    return {patch.ref: now.get(patch.ref.patch_id, "") for patch in patches if patch.ref not in gone}
