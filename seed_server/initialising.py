"""What `seed-server init` makes: keys, authorities, repository, database, site map, settings. Blocking.

``server.toml`` is the last file: a home without it is not initialised.
"""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from p2pdist.shared import durable_files
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.enrolment.certificate_authority import CertificateAuthority
from seed_server.settings.home import ServerHome, check_home
from seed_server.settings.server_toml import ServerSettings, check_settings, write_settings
from seed_server.signing.key_files import TRUSTED_ROOT_FILE, check_passphrase, create_signing_key, key_path
from seed_server.signing.repository import Repository
from seed_server.signing.role_policy import AUDIT_KEY, OFFLINE_KEYS, ONLINE_ROLES
from seed_server.store.opening import create_database, open_database

EXAMPLE_SITES = """\
# Sites (branches) of this company. A running server uses a change at once.
#
# An endpoint belongs to the first site whose networks hold the address that this server
# sees, else to the site with that address in its nat. An address that no site holds makes
# a site of its own from its /24 (IPv4) or /64 (IPv6), whose line is learned.
#
# [[site]]
# name = "branch-a"
# networks = ["10.1.0.0/16", "2001:db8:1::/48"]
# nat = ["198.51.100.7"]  # where its endpoints are seen if a router translates their addresses
# line_mbit = 20      # the branch's line towards it, Mbit/s; left out: it is learned
# share = 0.9         # how much of the line this server may use, above 0, at most 1
"""


@dataclass(frozen=True)
class ServerPins:
    """What a PC recognises a server by: SHA-256 of the control CA's certificate, and of the first TUF root."""

    ca: bytes
    root: bytes


def initialise(home: ServerHome, settings: ServerSettings, *, passphrase: bytes | None, now: float) -> ServerPins:
    """Make ``home`` the home of a new server; return its pins.

    With a ``passphrase`` the offline keys are encrypted; the online ones never
    are, as `serve` signs unattended. Raises `UserError` and removes what it has
    made: BAD_INPUT for a home that is in use, and for settings or a passphrase
    that are not acceptable; STORAGE.
    """
    check_settings(settings, source="seed-server init")
    if passphrase is not None:
        check_passphrase(passphrase)
    with _storage_errors(home):
        _check_unused(home)
        durable_files.make_directory(home.root, mode=0o700)
        check_home(home)
        with _all_or_nothing(home):
            return _make(home, settings, passphrase, now)


def _make(home: ServerHome, settings: ServerSettings, passphrase: bytes | None, now: float) -> ServerPins:
    durable_files.make_directory(home.content)
    keys = {name: create_signing_key(key_path(home.offline_keys, name), passphrase) for name in OFFLINE_KEYS}
    keys |= {name: create_signing_key(key_path(home.online_keys, name), None) for name in ONLINE_ROLES}
    create_signing_key(key_path(home.online_keys, AUDIT_KEY), None)
    authority = CertificateAuthority.create(home.ca, settings.name, now)
    if not home.sites.exists():
        durable_files.write_file(home.sites, EXAMPLE_SITES.encode())
    repository = Repository.create(home, settings, keys, now)
    durable_files.write_file(home.offline_keys / TRUSTED_ROOT_FILE, repository.trusted_root().encode())
    create_database(home, settings)  # late: what was made on PostgreSQL stays there
    write_settings(home, settings)
    open_database(home, settings).close()  # it is this home's from now on: nothing can fail after that
    return ServerPins(ca=authority.control_ca_pin(), root=repository.root_pin())


def _check_unused(home: ServerHome) -> None:
    if home.settings.exists():
        raise UserError(
            f"{home.root} is the home of a seed server already. Start it with 'seed-server serve', or choose "
            "another --home.",
            FaultKind.BAD_INPUT,
        )
    for path in (home.keys, home.tuf_metadata, home.database):
        if path.exists():
            # never overwrite keys: a lost server.toml must not cost a fleet
            raise UserError(
                f"{home.root} holds {path.relative_to(home.root)} but no server.toml: an init was interrupted, or the "
                "file was deleted. Restore it from a backup, or remove the whole directory and run init again.",
                FaultKind.BAD_INPUT,
            )


@contextlib.contextmanager
def _all_or_nothing(home: ServerHome) -> Iterator[None]:
    before = set(home.root.iterdir())
    try:
        yield
    except BaseException:
        for path in set(home.root.iterdir()) - before:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _storage_errors(home: ServerHome) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"Cannot write to {home.root}: {error.strerror}. Check the path, its permissions and the disk's space.",
            FaultKind.STORAGE,
        ) from error
