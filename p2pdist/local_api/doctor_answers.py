"""What `p2pdist doctor --json` prints. Not an answer of the daemon: it works where that does not run, too. Pure."""

from typing import Literal, TypeAlias

import msgspec

CheckCode: TypeAlias = Literal[
    "enrolment", "daemon", "clock", "certificate", "server-certificate", "dns", "web-port", "origin-port",
    "known-addresses", "packets",
    "lan-port", "lan-incoming", "mdns", "mdns-port", "isolation", "networks", "vpn", "firewall", "port-users",
    "identity", "rights", "file-system", "disk-space", "proxy", "time-zones", "reported",
]  # fmt: skip
"""The name of a check, which never changes: `docs/doctor.md` has a section for each."""

Verdict: TypeAlias = Literal["fine", "wrong", "unknown"]
Mender: TypeAlias = Literal["owner", "administrator", "network", "operator"]
"""Of this PC the owner, who uses it, and the administrator; of the network; of the seed server the operator."""


class CheckFinding(msgspec.Struct, frozen=True):
    """What one check has found."""

    code: CheckCode
    """The name of the check; each has a section in docs/doctor.md. Since 0.3."""
    verdict: Verdict
    """Whether what was looked at is right; unknown: it could not be seen. Since 0.3."""
    observed: str
    """What was seen, or why it is not known, in words. Since 0.3."""
    mender: Mender | None
    """Who can mend it; null where nothing is wrong. Since 0.3."""
    remedy: str
    """What to do, in words; empty where nothing is wrong. Since 0.3."""


class DoctorAnswer(msgspec.Struct, frozen=True):
    """What was found on this PC. Where something is wrong, the command ends with 1."""

    findings: list[CheckFinding]
    """One for each check, in a fixed order; of `reported` one for each problem of the daemon. Since 0.3."""
