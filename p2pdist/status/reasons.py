"""Why a patch is not on this PC yet: the closed list of reasons. Pure."""

import enum


class WhyReason(enum.StrEnum):
    """Why a patch is not here yet: the closed list that people read."""

    HERE = "it is here, and proven"
    NOT_ROLLED_OUT = "it is not in this PC's rollout"
    CANNOT_BE_TAKEN = "it is rolled out but cannot be taken"
    WITHDRAWN = "withdrawn"
    QUEUED = "other patches come first"
    CHECKING = "what is on disk is being checked"
    VERIFYING = "all is here, and the whole file is being proven"
    FROM_LINE = "pieces are coming over the site's line"
    FROM_NEIGHBOURS = "pieces are coming from neighbours"
    LAN_YIELDS = "the way to the neighbours yields to business"
    LINE_YIELDS = "the site's line yields to business"
    LINE_SPARED = "the server spares the site's line: business suffered while it sent"
    BLACKOUT = "the throttle profile allows nothing now"
    WAITING_FOR_LEASE = "waiting for the server to give this site its next pieces"
    NEIGHBOURS_SILENT = "neighbours have pieces of it but send none"
    NO_NEIGHBOURS = "no neighbour has what is missing, and this PC does not fetch over the line"
    SHARED_IDENTITY = "refused: the server serves another PC with this PC's identity, one at a time"
    NO_SERVER = "no neighbour has what is missing, and the server is not reachable"
    LARGE_PACKETS_LOST = "full packets from the server are lost on the way; smaller ones are tried"
    SERVER_CANNOT = "no neighbour has what is missing, and the server cannot give it"
    HELPS_LESS_CPU = "the processor is busy, so others fetch over the site's line before this PC"
    REFUSED_BATTERY = "refused: the battery is too low to fetch for the site"
    DISK_FULL = "the disk is full"
    QUOTA = "it waits for room among the payloads on this PC"
    FAILED = "it has failed, and is tried again"


WHOLE_ANSWERS = frozenset({WhyReason.HERE, WhyReason.NOT_ROLLED_OUT, WhyReason.CANNOT_BE_TAKEN, WhyReason.WITHDRAWN})
"""Reasons that do not pass by themselves: no seconds are counted under them."""

LARGE_PACKETS_WORDS = (
    "Full packets do not get through between this site and the server: a link on the way has a smaller MTU, and what "
    "its router says about that is dropped. Smaller packets are used. Have ICMP 'fragmentation needed' let through, or "
    "the MTU set."
)
