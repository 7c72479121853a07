"""Which reports of this PC's patches are news to the server. Pure."""

import math
from collections.abc import Callable, Iterable

from msgspec.structs import replace

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.look_pace import look_pause_seconds
from p2pdist.shared.wire.fields import MAX_PATCHES_PER_REPORT, MAX_TEXT_CHARS
from p2pdist.shared.wire.messages import InstallState, PatchReport, PatchState, Report
from p2pdist.status.projections import patch_report
from p2pdist.status.report_pace import ReportPace
from p2pdist.status.view import PatchView

DECIDED: frozenset[InstallState] = frozenset({"installed", "rolled_back", "failed"})
"""What the operator waits for: told at once however large the fleet is, as is that it is so no more."""
PROVEN: PatchState = "verified"
"""Where nothing is to be installed, the end: told at once unless the server asks for a slower pace."""


class Reports:
    """Remembers what the server was told; `forget` at each new connection."""

    def __init__(self, refuses: Callable[[], str] = str, share: float = 0.0) -> None:
        """``refuses`` returns why nothing new of the server's is accepted here, in words; empty: it is.

        ``share`` as in `ReportPace`.
        """
        self._refuses = refuses
        self._known: dict[PatchRef, PatchReport] = {}
        self._made: dict[PatchRef, tuple[PatchView, PatchReport]] = {}
        """The reports of the last look, each with the view that it was made from: most views stay as they are."""
        self._told_in: dict[PatchRef, int] = {}
        """The serial of the report in which each of `_known` was told."""
        self._serial = self._refuses_told_in = self._connection = 0
        self._known_refuses: str | None = ""
        """None: what the server knows of an earlier connection is not known here."""
        self.pace = ReportPace(share)
        """Of counters and of states that pass; others are reported at once."""
        self._looked_at = -math.inf

    def wait_seconds(self, now: float) -> float:
        """Return how long the next `news` shall wait: not at all where there are few patches, or none is told yet."""
        return max(0.0, self._looked_at + look_pause_seconds(len(self._known)) - now)

    def pending_seconds(self, now: float) -> float:
        """Return when what the last `news` has left untold is due; infinite when that is nothing."""
        return max(0.0, self.pace.due_at - now)

    def news(self, views: Iterable[PatchView], now: float) -> list[Report]:
        """Return what the server does not know yet, and remember it as told; ``now``: seconds on any steady clock."""
        self._looked_at = now
        self._made = {view.ref: (view, report) for view in views if (report := self._report(view)) is not None}
        reports = {ref: report for ref, (_, report) in self._made.items()}
        self._known = {ref: known for ref, known in self._known.items() if ref in reports}
        changed = {ref: report for ref, report in reports.items() if not _same(report, self._known.get(ref))}
        refuses = self._refuses()[:MAX_TEXT_CHARS]
        told = refuses == self._known_refuses
        if not changed:
            self.pace.nothing_waits()
        urgent = any(self._is_urgent(report, self._known.get(ref)) for ref, report in changed.items())
        if told and not urgent and not (changed and self.pace.is_due(now)):
            return []
        self._known_refuses = refuses
        if changed:
            self.pace.told(now)
            self._known |= changed
        news = list(changed.values())
        starts = range(0, len(news), MAX_PATCHES_PER_REPORT)
        parts = [news[start : start + MAX_PATCHES_PER_REPORT] for start in starts]
        if not told:
            self._refuses_told_in = self._serial + 1
        return [self._counted(part, refuses) for part in parts or ([] if told else [[]])]

    def _counted(self, patches: list[PatchReport], refuses: str) -> Report:
        self._serial += 1
        self._told_in.update((patch.ref, self._serial) for patch in patches)
        serial = self._serial if self._connection else 0
        return Report(patches=patches, refuses=refuses, serial=serial, connection=self._connection)

    def _is_urgent(self, report: PatchReport, known: PatchReport | None) -> bool:
        if known is not None and (report.state, report.install) == (known.state, known.install):
            return False
        if known is not None and known.install in DECIDED and report.install != known.install:
            return True  # tried anew; else the same failure again would look like the one before
        proven = report.state == PROVEN and (known is None or known.state != PROVEN)
        return (proven and self.pace.is_usual) or report.state == "failed" or report.install in DECIDED

    def _report(self, view: PatchView) -> PatchReport | None:
        made = self._made.get(view.ref)
        return made[1] if made is not None and made[0] == view else patch_report(view)

    def forget(self, recorded: int = 0, connection: int = 0) -> None:
        """Tell everything again, on a new connection, but what the server has recorded of it: see `Welcome`."""
        self._connection = connection
        if recorded > self._serial:  # it speaks of another run
            recorded = 0
        self._known = {ref: known for ref, known in self._known.items() if self._told_in[ref] <= recorded}
        self._told_in = {ref: self._told_in[ref] for ref in self._known}
        if not 0 < self._refuses_told_in <= recorded:
            self._known_refuses = None


def _same(report: PatchReport, known: PatchReport | None) -> bool:
    # that time has passed is no news by itself
    return report is known or (known is not None and replace(report, seconds=0.0) == replace(known, seconds=0.0))
