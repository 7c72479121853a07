"""A signer's own new key: made on the signer's machine, where its private half stays. Blocking."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.signing.key_files import OfflineKeys, create_signing_key, key_path, write_public_key
from seed_server.signing.metadata import public_key


@dataclass(frozen=True)
class NewKey:
    """A key that nobody trusts yet."""

    keyid: str
    public: Path
    """The file to bring to the server."""


def make_key(folder: Path, role: Literal["patches", "profiles", "approver"], passphrase: bytes | None) -> NewKey:
    """Make ``ROLE.pem`` and ``ROLE.pub`` in ``folder``; the former is encrypted where there is a ``passphrase``.

    Raises `UserError`: BAD_INPUT where there is such a key already, or for an unfit passphrase; STORAGE.
    """
    if OfflineKeys(folder).has(role):
        raise UserError(
            f"{key_path(folder, role)} is there already, and is not replaced. Choose another folder.",
            FaultKind.BAD_INPUT,
        )
    key = create_signing_key(key_path(folder, role), passphrase)
    public = folder / f"{role}.pub"
    write_public_key(public, key)
    return NewKey(public_key(key).keyid, public)
