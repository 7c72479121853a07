"""What a PC tells its server of what is wrong with it and its network, in codes of a closed list. Pure."""

from typing import Annotated

import msgspec

from p2pdist.shared.wire.codec import Message

MAX_FINDING_CODES = 32  # twice as many as there are
FINDING_CODES = (
    "network_part", "clock", "identity", "packets", "certificates", "trust", "stale", "audit_log", "memory", "mdns",
    "limiter", "patch_refused", "install", "users", "unheard", "cut_off", "lan_incoming", "vpn", "disk",
)  # fmt: skip
"""Those of `p2pdist status`, and of the network: the server names neighbours and none is heard; neighbours are heard,
and none answers; this PC reaches neighbours, and none has ever reached it; it is connected by a VPN.
Last, one more of `p2pdist status`: the disk is full."""

FindingCode = Annotated[str, msgspec.Meta(pattern=r"^[a-z_]{1,24}\Z", max_length=24)]


class PcFindings(Message, frozen=True, tag="findings"):
    """What is wrong with this PC now, in place of what it said before. Feature ``findings``."""

    codes: Annotated[tuple[FindingCode, ...], msgspec.Meta(max_length=MAX_FINDING_CODES)]
    """Names that are not known mean nothing."""
