"""Which server an operation or a query is about, and what time it is there."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from p2pdist.shared.clock import Clock, SystemClock
from seed_server.enrolment.certificate_authority import CertificateAuthority
from seed_server.settings import ServerHome, ServerSettings, load_settings
from seed_server.signing.repository import Repository
from seed_server.store.opening import open_database

if TYPE_CHECKING:
    from seed_server.store.database import Database


@dataclass(frozen=True)
class Context:
    """One seed server's home, whose parts are opened when an operation needs them. Blocking.

    Every method raises `UserError`: NOT_SET_UP for a home that is not initialised, BAD_INPUT for settings
    that are not acceptable, STORAGE, BUSY.
    """

    home: ServerHome
    clock: Clock = field(default_factory=SystemClock)

    def settings(self) -> ServerSettings:
        """Return the settings as they stand in ``server.toml`` now."""
        return load_settings(self.home)

    def repository(self) -> Repository:
        """Open the signed repository."""
        return Repository.open(self.home, self.settings())

    def database(self) -> "Database":
        """Open the database; the caller closes it."""
        return open_database(self.home, self.settings())

    def authority(self) -> CertificateAuthority:
        """Open the certificate authority."""
        return CertificateAuthority.open(self.home.ca)
