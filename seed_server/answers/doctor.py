"""What `seed-server doctor` finds, how its checks say it, and what its `--json` prints. Pure."""

from typing import Literal, TypeAlias

import msgspec

ServerCode: TypeAlias = Literal[
    "server-home", "server-rights", "server-running", "server-web-port", "server-origin-port",
    "server-api-port", "server-address", "server-addresses",
    "server-tls", "server-clock", "server-disk", "server-database", "server-content", "server-signatures",
    "server-audit", "server-rollouts", "server-site-map", "server-pcs", "server-lines", "server-time-zones",
    "server-provider", "server-sites", "server-backup", "server-intelligence",
]  # fmt: skip
SiteCode: TypeAlias = Literal[
    "site-away", "site-silent", "site-refusals", "site-clock", "site-identity", "site-address", "site-packets",
    "site-line", "site-sharing", "site-neighbours", "site-isolation", "site-lan-incoming", "site-vpn", "site-mdns",
    "site-release", "site-disk", "site-reported",
]  # fmt: skip
"""The names of checks, which never change: `docs/doctor.md` has a section for each."""

SiteVerdict: TypeAlias = Literal["fine", "wrong", "unknown"]
Mending: TypeAlias = Literal["operator", "administrator", "network"]
"""Of the seed server the operator, of PCs the administrator, of the networks the network team."""


class SiteFinding(msgspec.Struct, frozen=True):
    """What one check has found."""

    code: ServerCode | SiteCode
    """The name of the check; each has a section in docs/doctor.md. Since 0.3."""
    verdict: SiteVerdict
    """Whether what was looked at is right; unknown: it could not be seen. Since 0.3."""
    observed: str
    """What was seen, or why it is not known, in words. Since 0.3."""
    mender: Mending | None
    """Who can mend it; null where nothing is wrong. Since 0.3."""
    remedy: str
    """What to do, in words; empty where nothing is wrong. Since 0.3."""


class ServerDoctorDocument(msgspec.Struct, frozen=True):
    """What was found of the server, or of a site. Where something is wrong, the command ends with 1."""

    site: str | None
    """The site that was looked at; null: the server itself. Since 0.3."""
    findings: list[SiteFinding]
    """One for each check, in a fixed order; of a site what hurts most comes first. Since 0.3."""


def fine(code: ServerCode | SiteCode, observed: str) -> SiteFinding:
    """Return that all is well."""
    return SiteFinding(code, "fine", observed, None, "")


def unknown(code: ServerCode | SiteCode, why: str) -> SiteFinding:
    """Return that it could not be seen, and why."""
    return SiteFinding(code, "unknown", why, None, "")


def wrong(code: ServerCode | SiteCode, observed: str, mender: Mending, remedy: str) -> SiteFinding:
    """Return what is wrong, who mends it, and how."""
    return SiteFinding(code, "wrong", observed, mender, remedy)
