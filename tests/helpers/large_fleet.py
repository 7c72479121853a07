"""A fleet of two hundred PCs and twenty-five patches, as the server's store has it: nothing is run for it."""

import base64
import hashlib

from p2pdist.shared.identifiers import PatchRef
from seed_server.fleet.queries import FleetStatus
from seed_server.store.rows import EndpointRow, ReportRow, ServedPayload

PCS, PATCHES = 200, 25
OFF_EVERY, NEVER_EVERY, OTHER_SYSTEM_EVERY, FAILED_EVERY = 10, 20, 13, 17
FAILING, DELIVERED, FETCHING, WITHDRAWN, OLD = 17, 15, 24, 19, 3
WHY_FAILED = 'acme.msi ended with exit code 1603: it said "disk"'


def endpoint_id(number: int) -> str:
    """Return an id of the right form."""
    return base64.b32encode(hashlib.sha256(b"%d" % number).digest())[:26].decode().lower()


def served(number: int, *, version: str = "2.1", sequence: int | None = None) -> ServedPayload:
    """Return a patch; odd ones have a title with wide signs."""
    return ServedPayload(
        patch_id=f"acme-product-{number:02}", version=version,
        title=f"Acme製品の更新 {number}" if number % 2 else f"Acme product {number}",
        severity=("low", "medium", "high", "critical")[number % 4], cvss=None, file_name="acme.msi", sha256="ab" * 32,
        length_bytes=99_900_000, torrent_hash=f"{number:032x}{sequence or number:032x}", piece_length_bytes=262_144,
        piece_count=381, sequence=number if sequence is None else sequence, published_at=1.0,
    )  # fmt: skip


def enrolled(number: int) -> EndpointRow:
    """Return a PC: some are off, and some of these were never seen; the last one is denied."""
    return EndpointRow(
        endpoint_id=endpoint_id(number), hostname=f"pc-{number:03}", enrolled_at=1.0, denied=number == PCS - 1,
        site="leeds" if number % 2 else "osaka", address="192.0.2.1", software="p2pdist 1",
        connected=number % OFF_EVERY != 0, last_seen_at=5.0 if number % NEVER_EVERY else 0.0,
    )  # fmt: skip


def reported(number: int, patch: ServedPayload, place: int) -> ReportRow:
    """Return what a PC says of a patch."""
    state, install, why = "verified", "installed", ""
    if number % OTHER_SYSTEM_EVERY == 0:
        state, install, why = "waiting", "not_applicable", "not applicable: no variant for windows"
    elif place == FAILING and number % FAILED_EVERY == 0:
        install, why = "failed", WHY_FAILED
    elif place == DELIVERED:
        install = ""
    elif place == FETCHING:
        state, install = "fetching", "waiting"
    return ReportRow(
        endpoint_id=endpoint_id(number), patch_id=patch.patch_id, version=patch.version, state=state,
        progress=0.5 if state == "fetching" else 1.0, bytes_from_origin=0, bytes_from_peers=99_900_000, bytes_wasted=0,
        seconds=90.0, error="", reported_at=9.0, install=install, install_reason=why,
        install_output="no room" if install == "failed" else "",
    )  # fmt: skip


def large_fleet() -> FleetStatus:
    """Return the fleet; one of its patches was replaced, and one withdrawn."""
    patches = [served(number) for number in range(PATCHES)]
    old = served(OLD, version="1.0", sequence=0)
    reports = [
        reported(number, patch, place)
        for place, patch in enumerate([*patches, old])
        for number in range(PCS)
        if number % NEVER_EVERY
    ]
    return FleetStatus(
        "hq", True, [old, *patches], [enrolled(number) for number in range(PCS)], reports,
        {("leeds", patch.torrent_hash): patch.length_bytes for patch in patches},
        replaced={old.ref: "2.1"},
        withdrawn={PatchRef(f"acme-product-{WITHDRAWN:02}", "2.1"): "crashes on start"},
    )  # fmt: skip
