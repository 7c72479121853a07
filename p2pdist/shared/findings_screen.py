"""Shows what a doctor has found: each check, and below, by who can mend it, what is wrong and what to do."""

from collections.abc import Iterable, Sequence
from typing import Literal, Protocol

from rich.console import Group, RenderableType
from rich.text import Text

from p2pdist.shared.language import in_words, tr
from p2pdist.shared.tables import FactTable

_STYLES = {"fine": "green", "wrong": "red", "unknown": "yellow"}


class ShownFinding(Protocol):
    """What one check has found."""

    @property
    def code(self) -> str:
        """Its name."""

    @property
    def verdict(self) -> Literal["fine", "wrong", "unknown"]:
        """Whether all is well."""

    @property
    def observed(self) -> str:
        """What was seen."""

    @property
    def mender(self) -> str | None:
        """Who can mend it."""

    @property
    def remedy(self) -> str:
        """What to do."""


def findings_view(findings: Sequence[ShownFinding], menders: Iterable[tuple[str, str]]) -> RenderableType:
    """Return the table, and what is to be sent to whom; ``menders``: headings, by who it is."""
    table = FactTable()
    table.column(tr("check"), tr("answer"))
    table.sentences(tr("observed"))
    for finding in findings:
        word = Text(_verdict(finding.verdict), style=_STYLES[finding.verdict])
        table.row(finding.code, word, sentences=["" if finding.verdict == "wrong" else in_words(finding.observed)])
    parts: list[RenderableType] = [table]
    for mender, heading in menders:
        parts += _for(heading, [one for one in findings if one.mender == mender])
    if len(parts) == 1:
        parts += ["", Text(tr("Nothing is wrong, as far as can be seen from here."), style="green")]
    return Group(*parts)


def _for(heading: str, findings: Sequence[ShownFinding]) -> list[RenderableType]:
    if not findings:
        return []
    parts: list[RenderableType] = ["", Text(heading, style="bold")]
    for finding in findings:
        parts.append(Text(f"{finding.code}: {in_words(finding.observed)}", style="red"))
        parts.append(Text(f"  → {in_words(finding.remedy)}"))
    return parts


def _verdict(verdict: str) -> str:
    return {"fine": tr("fine"), "wrong": tr("wrong"), "unknown": tr("not known")}[verdict]
