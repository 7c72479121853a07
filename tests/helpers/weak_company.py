"""A company whose patches mend weaknesses, and files of intelligence for it."""

from pathlib import Path
from typing import Any

from p2pdist.shared.identifiers import PatchRef
from seed_server.fleet import operations
from seed_server.publishing.examination import Publication
from seed_server.publishing.recipe import PayloadFile, Recipe
from seed_server.reporting.intelligence_operations import ImportedIntelligence, import_intelligence
from seed_server.signing.key_files import OfflineKeys
from tests.helpers.intelligence_texts import epss_text, kev_text, written
from tests.helpers.rollout_company import ADA, Company

FIRST, SECOND = "CVE-2026-1001", "CVE-2026-1002"


def publish(company: Company, folder: Path, patch_id: str, *cves: str, offered: bool = True, **others: Any) -> PatchRef:
    """Publish a patch that mends these, to every PC or to nobody yet."""
    (folder / f"{patch_id}.msi").write_text(patch_id)
    usual: dict[str, Any] = {"version": "1", "cvss": 9.8, "payload": (PayloadFile(f"{patch_id}.msi"),)}
    recipe = Recipe(patch_id=patch_id, cves=cves, **(usual | others))
    keys = OfflineKeys(company.context.home.offline_keys, None)
    operations.publish(company.context, ADA, Publication(recipe, folder), keys, offered=offered)
    return recipe.ref


def add_pc(company: Company, name: str, *tags: str) -> None:
    """Enrol another PC."""
    company.database.add_endpoint(name, name, company.clock.now(), list(tags))


def import_kev(company: Company, folder: Path, *cves: str, day: str = "2027-01-14") -> ImportedIntelligence:
    """Import a catalogue that has these."""
    path = written(folder / "kev.json", kev_text(cves, day=day))
    return import_intelligence(company.context, ADA, [path])


def import_epss(company: Company, folder: Path, **scores: tuple[float, float]) -> ImportedIntelligence:
    """Import scores, by CVE numbers with ``_`` in the place of ``-``."""
    known = {cve.replace("_", "-"): score for cve, score in scores.items()}
    path = written(folder / "epss.csv.gz", epss_text(known), packed=True)
    return import_intelligence(company.context, ADA, [path])
