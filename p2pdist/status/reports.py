"""Which reports of this PC's patches are news to the server. Pure."""

import math
from collections.abc import Callable, Iterable

from msgspec.structs import replace

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.look_pace import look_pause_seconds
from p2pdist.shared.wire.messages import MAX_PATCHES_PER_REPORT, MAX_TEXT_CHARS, PatchReport, Report
from p2pdist.status.projections import patch_report
from p2pdist.status.view import PatchView

REPORT_SECONDS = 2.0  # between reports in which only counters have changed; a new state is reported at once


class Reports:
    """Remembers what the server was told; `forget` at each new connection."""

    def __init__(self, refuses: Callable[[], str] = str) -> None:
        """``refuses`` returns why nothing new of the server's is accepted here, in words; empty: it is."""
        self._refuses = refuses
        self._known: dict[PatchRef, PatchReport] = {}
        self._made: dict[PatchRef, tuple[PatchView, PatchReport]] = {}
        """The reports of the last look, each with the view that it was made from: most views stay as they are."""
        self._known_refuses: str | None = ""
        """None: what the server knows of an earlier connection is not known here."""
        self._told_at = -math.inf
        self._looked_at = -math.inf

    def wait_seconds(self, now: float) -> float:
        """Return how long the next `news` shall wait: not at all where there are few patches, or none is told yet."""
        return max(0.0, self._looked_at + look_pause_seconds(len(self._known)) - now)

    def news(self, views: Iterable[PatchView], now: float) -> list[Report]:
        """Return what the server does not know yet, and remember it as told; ``now``: seconds on any steady clock."""
        self._looked_at = now
        self._made = {view.ref: (view, report) for view in views if (report := self._report(view)) is not None}
        reports = {ref: report for ref, (_, report) in self._made.items()}
        self._known = {ref: known for ref, known in self._known.items() if ref in reports}
        changed = {ref: report for ref, report in reports.items() if not _same(report, self._known.get(ref))}
        soon = now - self._told_at < REPORT_SECONDS
        refuses = self._refuses()[:MAX_TEXT_CHARS]
        told = refuses == self._known_refuses
        if told and soon and not any(_new_state(report, self._known.get(ref)) for ref, report in changed.items()):
            return []
        self._known_refuses = refuses
        if changed:
            self._told_at = now
            self._known |= changed
        news = list(changed.values())
        starts = range(0, len(news), MAX_PATCHES_PER_REPORT)
        reports_of = [Report(patches=news[start : start + MAX_PATCHES_PER_REPORT], refuses=refuses) for start in starts]
        return reports_of or ([] if told else [Report(patches=[], refuses=refuses)])

    def _report(self, view: PatchView) -> PatchReport | None:
        made = self._made.get(view.ref)
        return made[1] if made is not None and made[0] == view else patch_report(view)

    def forget(self) -> None:
        """Tell everything again: the server is a new one, or the same after a restart."""
        self._known = {}
        self._known_refuses = None


def _same(report: PatchReport, known: PatchReport | None) -> bool:
    # that time has passed is no news by itself
    return report is known or (known is not None and replace(report, seconds=0.0) == replace(known, seconds=0.0))


def _new_state(report: PatchReport, known: PatchReport | None) -> bool:
    return known is None or (report.state, report.install) != (known.state, known.install)
