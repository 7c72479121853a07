"""A small fleet in which PCs say everything that can be said, and some say nothing."""

import itertools
from typing import get_args

from p2pdist.shared.wire.messages import InstallState, PatchState
from seed_server.fleet.queries import FleetStatus
from seed_server.store.rows import EndpointRow, ReportRow, ServedPayload
from tests.helpers.large_fleet import endpoint_id

PCS, PATCHES = 70, 4
REFUSAL = "The signed metadata has expired."
STATES = list(itertools.product(get_args(PatchState), get_args(InstallState)))


def _patch(number: int) -> ServedPayload:
    return ServedPayload(
        patch_id=f"p-{number}", version="1", title="", severity="high", cvss=None, file_name="f", sha256="ab" * 32,
        length_bytes=1_000, torrent_hash=f"{number:064x}", piece_length_bytes=262_144, piece_count=1, sequence=number,
        published_at=1.0,
    )  # fmt: skip


def _pc(number: int, *, connected: bool | None) -> EndpointRow:
    seen = number % 11 != 5
    return EndpointRow(
        endpoint_id=endpoint_id(number), hostname=f"pc-{number:02}", enrolled_at=1.0, denied=number == 4,
        site=("leeds", "osaka", "oslo")[number % 3] if seen else "", address="192.0.2.1", software="p2pdist 1",
        connected=(seen and number % 4 != 2) if connected is None else connected,
        last_seen_at=5.0 if seen else 0.0, claimed_site="paris" if number == 1 else "",
        refuses=REFUSAL if number == 3 else "", shared_with="pc-9" if number == 8 else "",
    )  # fmt: skip


def _report(number: int, patch: ServedPayload) -> ReportRow:
    state, install = STATES[(number * (patch.sequence + 1) + patch.sequence) % len(STATES)]
    reason = f"exit code {number % 2}" if patch.sequence in (1, 2) else "for a window"
    return ReportRow(
        endpoint_id=endpoint_id(number), patch_id=patch.patch_id, version="1", state=state, progress=0.5,
        bytes_from_origin=1, bytes_from_peers=2, bytes_wasted=0, seconds=3.0,
        error="The Disk is full" if state == "failed" and patch.sequence == 1 else "", reported_at=9.0, install=install,
        install_reason=reason if install not in ("", "installed") else "", install_output="",
    )  # fmt: skip


def varied_fleet(*, connected: bool | None = None) -> FleetStatus:
    """Return the fleet; ``connected``: whether all its PCs are, or none. Some PCs have said nothing of some patches."""
    patches = [_patch(number) for number in range(PATCHES)]
    reports = [
        _report(number, patch) for patch in patches for number in range(PCS) if (number + patch.sequence) % 7 != 3
    ]
    endpoints = [_pc(number, connected=connected) for number in range(PCS)]
    return FleetStatus("hq", True, patches, endpoints, reports)
