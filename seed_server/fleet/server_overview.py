"""The server itself at a glance: where it is, what it has signed, its authority, its last backup, what is wrong.

`doctor` looks further: it calls the server's own ports, and the identity provider. Blocking; changes nothing.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from p2pdist import __version__
from p2pdist.shared.errors import UserError
from seed_server.fleet.context import Context
from seed_server.fleet.fleet_problem import FleetProblem
from seed_server.fleet.overview import FleetHead, read_head
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.proposals import RoleKeys
from seed_server.signing.repository_writer import online_lifetimes
from seed_server.signing.role_policy import RoleExpiry, lifetimes_of_roles
from seed_server.store.last_backup import LastBackup, read_last_backup

RELEASE = f"p2pdist {__version__}"


@dataclass(frozen=True)
class SignedRole:
    """What is signed of one role."""

    role: str
    expires_at: float
    """Seconds since 1970."""
    offline: bool
    """Whether only the operator can sign it anew; else the running server does."""
    lifetime_seconds: float
    """From its signature to its end."""
    threshold: int
    """How many keys have to sign it; 0: not known, or it is signed by the running server."""
    keys: tuple[str, ...]
    """Ids of the keys that may, hexadecimal."""


@dataclass(frozen=True)
class ServerOverview:
    """One look at the server."""

    head: FleetHead
    settings: ServerSettings
    roles: Sequence[SignedRole]
    """The first to end first; none where the signed files cannot be read, which the head's problem explains."""
    authority_expires_at: float | None
    """When the authority ends that signs certificates; None: it cannot be read."""
    backup: LastBackup | None
    """The last one; None: there is none, or its record cannot be read."""
    entries: int
    """How many entries the audit log has."""
    moment: float

    @property
    def problems(self) -> Sequence[FleetProblem]:
        """What the operator should know, the worst first."""
        return self.head.problems

    @property
    def database(self) -> str:
        """Which kind of database has the state."""
        return "PostgreSQL" if self.settings.database_url else "SQLite"


def read_server(context: Context) -> ServerOverview:
    """Return it. Raises `UserError`: NOT_SET_UP, BAD_INPUT, STORAGE, BUSY."""
    settings = context.settings()
    with context.database() as database:
        head, entries = read_head(context, database), database.audit_size()
    roles: list[SignedRole] = []
    with contextlib.suppress(UserError):  # the head's problem says why
        repository = context.repository()
        roles = _roles(settings, repository.expiries(), repository.proposals().role_keys())
    authority = None
    with contextlib.suppress(UserError):  # `doctor` says why
        authority = context.authority().expires_at()
    backup = read_last_backup(context.home)
    return ServerOverview(head, settings, roles, authority, backup, entries, context.clock.now())


def _roles(settings: ServerSettings, expiries: Sequence[RoleExpiry], keys: Sequence[RoleKeys]) -> list[SignedRole]:
    lifetimes, known = lifetimes_of_roles(online_lifetimes(settings)), {one.role: one for one in keys}
    found = [
        SignedRole(
            one.role,
            one.expires_at,
            one.offline,
            lifetimes[one.role],
            known[one.role].threshold if one.role in known else 0,
            tuple(known[one.role].keyids) if one.role in known else (),
        )
        for one in expiries
    ]
    return sorted(found, key=lambda one: one.expires_at)
