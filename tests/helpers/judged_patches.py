"""Patches and knowledge of weaknesses, to be judged by the shipped table."""

from typing import Any

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.toml_config import parse_toml
from seed_server.reporting.priority_decision import PatchFacts, PcGroup, WorldKnowledge
from seed_server.reporting.priority_table import PriorityTable
from seed_server.reporting.shipped_priority import shipped_priority
from seed_server.settings.priority_section import PrioritySettings
from seed_server.store.intelligence_records import ExploitedCve, IntelligenceKind, IntelligenceSource
from seed_server.store.score_blocks import ExploitScore

DAY = 86_400.0
NOW = 1_800_000_000.0  # 2027-01-15
TABLE = PriorityTable.of(PrioritySettings(), parse_toml(shipped_priority(), PrioritySettings, source="priority.toml"))
INSIDE, OUTSIDE, VITAL = PcGroup("controlled", "medium"), PcGroup("open", "medium"), PcGroup("controlled", "high")


def facts(*cves: str, **others: Any) -> PatchFacts:
    """Return a patch that ten PCs may need, and lack."""
    usual: dict[str, Any] = {
        "ref": PatchRef("acme", "1"), "severity": "medium", "cvss": 9.8, "cves": cves, "published_at": NOW - DAY,
        "groups": {INSIDE: 10}, "missing": 10,
    }  # fmt: skip
    return PatchFacts(**usual | others)


def source(kind: IntelligenceKind, age: float = DAY) -> IntelligenceSource:
    """Return a file that was made so long ago."""
    return IntelligenceSource(kind, NOW - age, NOW, 1, "v", "ab" * 32, "local:ada")


def exploited(cve: str, *, added: float = NOW - 2 * DAY, ransomware: bool = False) -> ExploitedCve:
    """Return what the catalogue says of a weakness."""
    return ExploitedCve(cve, "Acme", added, None, ransomware, "Patch.")


def world(
    *known: ExploitedCve, scores: dict[str, tuple[float, float]] | None = None, kinds: str = "kev epss"
) -> WorldKnowledge:
    """Return what is known by files of ``kinds``: what is exploited, and the scores of others."""
    kev_and_epss: tuple[IntelligenceKind, ...] = ("kev", "epss")
    return WorldKnowledge(
        {kind: source(kind) for kind in kev_and_epss if kind in kinds},
        {one.cve: one for one in known},
        {cve: ExploitScore(*score) for cve, score in (scores or {}).items()},
    )
