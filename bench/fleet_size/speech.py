"""What a played PC says on its control connection, as the daemon does. Pure."""

from collections.abc import Sequence

import msgspec

from bench.fleet_size.identities import Pc
from p2pdist.shared.wire.channels import decode_hello, encode_message
from p2pdist.shared.wire.data_messages import DataHello
from p2pdist.shared.wire.features import PC_FEATURES
from p2pdist.shared.wire.fields import HELD_BYTES, MAX_PATCHES_PER_REPORT
from p2pdist.shared.wire.messages import PROTOCOL_VERSION, ControlHello, Holdings, PatchReport, Report

STAMPS_PER_SECOND = 10_000
"""A report says when it was sent, as a count of bytes: the state keeps that, whatever else it does with a report."""


class LivePatch(msgspec.Struct, frozen=True):
    """A patch that every PC has."""

    patch_id: str
    version: str
    torrent: str
    piece_count: int


def instance_of(pc: Pc) -> str:
    """Return the number of the daemon's run: the same in each process that plays the PC."""
    return f"{pc.number:032x}"


def hello(pc: Pc) -> bytes:
    """Return the body of the first frame."""
    return encode_message(
        ControlHello(
            protocol=PROTOCOL_VERSION,
            software="p2pdist bench",
            hostname=f"pc-{pc.number:05}",
            addresses=[pc.address],
            lan_port=pc.lan_port,
            on_mains=True,
            wired=True,
            uptime_seconds=3_600,
            instance=instance_of(pc),
            features=PC_FEATURES,
        )
    )


def hello_for_pieces(hello_body: bytes) -> bytes:
    """Return the body of the first frame of the second connection of the PC that has said ``hello_body``."""
    first = decode_hello(hello_body)
    return encode_message(DataHello(protocol=first.protocol, instance=first.instance, large_packets_lost=False))


def has_everything(patches: Sequence[LivePatch]) -> list[bytes]:
    """Return what a PC says after each welcome of patches that it has: bodies of frames."""
    torrents = sorted(patch.torrent for patch in patches)
    return [encode_message(Holdings(torrents=b"".join(bytes.fromhex(each)[:HELD_BYTES] for each in torrents)))]


def first_reports(patches: Sequence[LivePatch], connection: int) -> list[bytes]:
    """Return what it reports after a welcome that gave ``connection``, if the server has not recorded it."""
    reports = [verified(patch, 0) for patch in patches]
    return [
        encode_message(
            Report(patches=reports[at : at + MAX_PATCHES_PER_REPORT], refuses="", serial=k, connection=connection)
        )
        for k, at in enumerate(range(0, len(reports), MAX_PATCHES_PER_REPORT), 1)
    ]


def first_serials(patches: Sequence[LivePatch]) -> int:
    """Return how many reports that takes."""
    return -(-len(patches) // MAX_PATCHES_PER_REPORT)


def changed(patch: LivePatch, stamp: int, serial: int, connection: int) -> bytes:
    """Return the body of a report on one patch."""
    return encode_message(Report(patches=[verified(patch, stamp)], refuses="", serial=serial, connection=connection))


def verified(patch: LivePatch, stamp: int) -> PatchReport:
    """Return what a PC says of a patch that it has."""
    return PatchReport(
        patch_id=patch.patch_id,
        version=patch.version,
        state="verified",
        progress=1.0,
        bytes_from_origin=stamp,
        bytes_from_peers=0,
        bytes_wasted=0,
        seconds=90.0,
        error="",
        install="installed",
    )
