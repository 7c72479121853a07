"""Files of intelligence as their authors write them."""

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

EPSS_DAY = "2027-01-14"


def epss_text(
    scores: Mapping[str, tuple[float, float]], *, day: str = EPSS_DAY, model: str = "v2026.03.14", end: str = "\n"
) -> bytes:
    """Return EPSS scores of a day: the probability and the percentile of each CVE."""
    rows = [f"{cve},{probability:.5f},{percentile:.5f}" for cve, (probability, percentile) in scores.items()]
    lines = [f"#model_version:{model},score_date:{day}T12:55:00Z", "cve,epss,percentile", *rows]
    return (end.join(lines) + end).encode()


def kev_entry(cve: str, **others: Any) -> dict[str, Any]:
    """Return an entry of the catalogue; ``others`` take the place of what is usual."""
    return {
        "cveID": cve,
        "vendorProject": "Acme",
        "product": "Agent",
        "vulnerabilityName": f"Acme Agent Weakness {cve[-4:]}",
        "dateAdded": "2027-01-10",
        "shortDescription": "It can be taken over.",
        "requiredAction": "Apply mitigations per vendor instructions.",
        "dueDate": "2027-01-31",
        "knownRansomwareCampaignUse": "Unknown",
        "notes": "",
        "cwes": ["CWE-20"],
    } | others


def kev_text(entries: Iterable[str | dict[str, Any]], *, day: str = "2027-01-14", **others: Any) -> bytes:
    """Return the catalogue with these entries, or CVEs; ``others`` take the place of its own fields."""
    rows: Sequence[dict[str, Any]] = [kev_entry(one) if isinstance(one, str) else one for one in entries]
    catalogue = {
        "title": "CISA Catalog of Known Exploited Vulnerabilities",
        "catalogVersion": day.replace("-", "."),
        "dateReleased": f"{day}T15:00:00.1234Z",
        "count": len(rows),
        "vulnerabilities": rows,
    } | others
    return json.dumps(catalogue, indent=2).encode()


def many_scores(number: int, day: str = EPSS_DAY) -> bytes:
    """Return the scores of so many CVEs, as many of them in a year as there are."""
    lines = [f"#model_version:v2026.03.14,score_date:{day}T12:55:00Z", "cve,epss,percentile"]
    lines += [
        f"CVE-{1999 + at // 40_000}-{at % 40_000 + 1_000:04d},0.{at % 99_999:05d},0.50000" for at in range(number)
    ]
    return "\n".join([*lines, ""]).encode()


def written(path: Path, data: bytes, *, packed: bool = False) -> Path:
    """Write a file, packed by gzip or not; return its path."""
    path.write_bytes(gzip.compress(data) if packed else data)
    return path
