"""What `seed-server doctor --json` prints. Pure."""

from msgspec import Struct

from seed_server.doctor.answers import SiteFinding


class ServerDoctorDocument(Struct, frozen=True):
    """What was found of the server, or of a site. Where something is wrong, the command ends with 1."""

    site: str | None
    """The site that was looked at; null: the server itself. Since 0.3."""
    findings: list[SiteFinding]
    """One for each check, in a fixed order; of a site what hurts most comes first. Since 0.3."""
