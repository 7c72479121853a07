"""The private keys that a server cannot do without: a backup has all of them, and they are this server's. Blocking."""

import hashlib
from collections.abc import Collection

from p2pdist.shared.audit_checkpoint import read_checkpoint
from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.manifest.staged import MAX_CHECKPOINT_BYTES
from p2pdist.shared.wire.codec import DecodeError
from seed_server.backup.manifest import CHECKPOINT_FILE, FileList
from seed_server.enrolment.certificate_authority import AUTHORITY_FILES, CertificateAuthority
from seed_server.settings.home import ServerHome
from seed_server.signing.key_files import key_path, load_signing_key
from seed_server.signing.metadata import MetadataReader, public_key
from seed_server.signing.role_policy import AUDIT_KEY, ONLINE_ROLES


def missing_key(keys: Collection[str], files: Collection[str]) -> str:
    """Return the first key that a home with these ``files`` needs and that is not among ``keys``; empty: all are there.

    Both are paths from the home on. A home of before there was an audit log has no key of that.
    """
    online = [*ONLINE_ROLES, AUDIT_KEY] if CHECKPOINT_FILE in files else ONLINE_ROLES
    needed = [f"keys/online/{name}.pem" for name in online] + [f"keys/ca/{name}" for name in AUTHORITY_FILES]
    return next((path for path in needed if path not in keys), "")


def pin_of_authorities(home: ServerHome) -> str:
    """Return the SHA-256 of both authorities' certificates; empty: they cannot be used here."""
    try:
        authority = CertificateAuthority.open(home.ca)
    except UserError:
        return ""
    return hashlib.sha256(f"{authority.control_ca_pem}{authority.swarm_ca_pem}".encode()).hexdigest()


def check_keys_fit(home: ServerHome, files: FileList) -> None:
    """Refuse keys that are another server's: it would be noticed when it signs, and PCs would refuse it for ever.

    Raises `UserError`: REFUSED, STORAGE.
    """
    current = MetadataReader(home).current()
    roles = current.root.signed.roles
    trusted = {"snapshot": roles["snapshot"].keyids, "timestamp": roles["timestamp"].keyids}
    trusted["rollouts"] = current.delegated("rollouts").keyids
    for role, keyids in trusted.items():
        if public_key(load_signing_key(key_path(home.online_keys, role), None)).keyid not in keyids:
            raise UserError(
                f"The {role} key is not that of the server in this backup: nothing was restored. Give the folder with "
                "this server's keys with --keys DIR.",
                FaultKind.REFUSED,
            )
    _check_audit_key(home)
    if files.authorities and pin_of_authorities(home) != files.authorities:
        raise UserError(
            "The authorities in keys/ca are not those of the server in this backup, or are damaged: nothing was "
            "restored. Give the folder with this server's keys with --keys DIR.",
            FaultKind.REFUSED,
        )


def _check_audit_key(home: ServerHome) -> None:
    """Refuse one that has not signed the log's newest checkpoint: at the next entry PCs would raise an alarm."""
    try:
        known = read_checkpoint(read_capped(home.audit_checkpoint, MAX_CHECKPOINT_BYTES)).key
    except FileNotFoundError:  # of before there was a log
        return
    except (OSError, FileTooLargeError, DecodeError):  # the log says so where it is verified
        return
    given = load_signing_key(key_path(home.online_keys, AUDIT_KEY), None).public_key().public_bytes_raw()
    if given != known:
        raise UserError(
            "The audit key is not that of the server in this backup: nothing was restored. Give the folder with this "
            "server's keys with --keys DIR.",
            FaultKind.REFUSED,
        )
