"""Reads CISA's catalogue of known exploited vulnerabilities (KEV), a JSON document. Pure.

What it has besides is passed over: its author adds fields now and then.
"""

from typing import Annotated

import msgspec

from p2pdist.shared.manifest.cves import is_cve
from p2pdist.shared.printable_text import printable
from seed_server.reporting.intelligence_formats import BOM, IntelligenceFileError, ReadKev, day_of, moment_of
from seed_server.store.intelligence_records import ExploitedCve

MAX_KEV_BYTES = 16 << 20  # there are 1.5 MB
MAX_EXPLOITED = 20_000  # there are 1,600, and some 250 more every year
MAX_WEAKNESS_CHARS = 500  # a line
MAX_ACTION_CHARS = 4_000  # a paragraph
_USED = "known"  # of `knownRansomwareCampaignUse`; else Unknown

_Name = Annotated[str, msgspec.Meta(max_length=MAX_WEAKNESS_CHARS)]
_Action = Annotated[str, msgspec.Meta(max_length=MAX_ACTION_CHARS)]


class _Vulnerability(msgspec.Struct, frozen=True, rename="camel"):
    date_added: _Name
    cve: _Name = msgspec.field(name="cveID")
    vulnerability_name: _Name = ""
    vendor_project: _Name = ""
    product: _Name = ""
    due_date: _Name = ""
    required_action: _Action = ""
    known_ransomware_campaign_use: _Name = ""


class _Catalogue(msgspec.Struct, frozen=True, rename="camel"):
    date_released: _Name
    vulnerabilities: Annotated[list[_Vulnerability], msgspec.Meta(max_length=MAX_EXPLOITED)]
    catalog_version: _Name = ""
    count: int | None = None


_DECODER = msgspec.json.Decoder(_Catalogue)


def read_kev(data: bytes, now: float) -> ReadKev:
    """Return what the document says; ``now``, in seconds since 1970: none is of a later day.

    Raises `IntelligenceFileError`.
    """
    if len(data) > MAX_KEV_BYTES:
        raise IntelligenceFileError(f"it has more than {MAX_KEV_BYTES >> 20} MiB")
    try:
        found = _DECODER.decode(data.removeprefix(BOM))
    except RecursionError as error:
        raise IntelligenceFileError("it is nested too deeply") from error
    except ValueError as error:  # msgspec's own, and UnicodeDecodeError
        raise IntelligenceFileError(f"it is no such JSON: {printable(str(error)[:200])}") from error
    if found.count is not None and found.count != len(found.vulnerabilities):
        raise IntelligenceFileError(
            f"it says that it has {found.count} entries, and has {len(found.vulnerabilities)}: a part is missing"
        )
    rows: dict[str, ExploitedCve] = {}
    for number, one in enumerate(found.vulnerabilities, 1):
        row = _row(one, f"vulnerabilities {number}")
        if row.cve in rows:
            raise IntelligenceFileError(f"{row.cve} is there twice")
        rows[row.cve] = row
    if not rows:
        raise IntelligenceFileError("there is no vulnerability in it")
    return ReadKev(
        moment_of(found.date_released, "dateReleased", now), printable(found.catalog_version[:40]), tuple(rows.values())
    )


def _row(one: _Vulnerability, where: str) -> ExploitedCve:
    if not is_cve(one.cve):
        raise IntelligenceFileError(f"{where}: {printable(one.cve[:40])!r} is no CVE number")
    name = one.vulnerability_name or f"{one.vendor_project} {one.product}".strip()
    return ExploitedCve(
        cve=one.cve,
        name=printable(name[:MAX_WEAKNESS_CHARS]),
        added_at=day_of(one.date_added, f"{where}, dateAdded"),
        due_at=day_of(one.due_date, f"{where}, dueDate") if one.due_date else None,
        ransomware=one.known_ransomware_campaign_use.strip().casefold() == _USED,
        action=printable(one.required_action),
    )
