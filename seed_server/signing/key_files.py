"""Signing keys of the TUF roles on disk: Ed25519, PKCS #8 PEM, mode 0600, with or without a passphrase. Blocking."""

import os
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from p2pdist.shared import durable_files
from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.errors import FaultKind, UserError

KEY_SUFFIXES = (".pem", ".pub", ".json")  # of what is beside keys: a folder with something else may be needed by others
MIN_PASSPHRASE_BYTES = 12  # the key derivation of PKCS #8 slows guessing, it does not stop it
MAX_PASSPHRASE_BYTES = 1_023  # OpenSSL reads no more
MAX_KEY_FILE_BYTES = 16 << 10
KEY_FILE_MODE = 0o600
KEY_DIRECTORY_MODE = 0o700
PUBLIC_KEY_MODE = 0o644
TRUSTED_ROOT_FILE = "trusted-root.json"
"""Beside a signer's keys: the root that they trust."""

_ENCRYPTED_MARK = b"ENCRYPTED PRIVATE KEY"


def check_passphrase(passphrase: bytes) -> None:
    """Raise `UserError` (BAD_INPUT) for a passphrase that is not fit to protect a new key."""
    if not MIN_PASSPHRASE_BYTES <= len(passphrase) <= MAX_PASSPHRASE_BYTES:
        raise UserError(
            f"The passphrase has {len(passphrase)} bytes; it must have {MIN_PASSPHRASE_BYTES} to "
            f"{MAX_PASSPHRASE_BYTES}. Choose another one.",
            FaultKind.BAD_INPUT,
        )


def create_signing_key(path: Path, passphrase: bytes | None) -> Ed25519PrivateKey:
    """Create a key, write it to ``path`` (0600) and return it; encrypted when there is a ``passphrase``.

    Raises `UserError`: BAD_INPUT for an unfit passphrase, STORAGE when the file cannot be written.
    """
    if passphrase is not None:
        check_passphrase(passphrase)
    key = Ed25519PrivateKey.generate()
    encryption = BestAvailableEncryption(passphrase) if passphrase is not None else NoEncryption()
    write_key_file(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    return key


def write_key_file(path: Path, pem: bytes) -> None:
    """Durably write a private key that only its owner can read. Raises `UserError` (STORAGE)."""
    try:
        durable_files.make_directory(path.parent, mode=KEY_DIRECTORY_MODE)
        durable_files.write_file(path, pem, mode=KEY_FILE_MODE)
    except OSError as error:
        raise UserError(
            f"Cannot write the key {path}: {error.strerror}. Check the disk's space and permissions.", FaultKind.STORAGE
        ) from error


def load_signing_key(path: Path, passphrase: bytes | None) -> Ed25519PrivateKey:
    """Return the key at ``path``.

    ``passphrase`` is ignored for a key that is not encrypted. Raises
    `UserError`: NOT_SET_UP when the file is missing, REFUSED for a missing or
    wrong passphrase and for a key that others can read, STORAGE when it cannot
    be read or is damaged.
    """
    pem = _read(path)
    encrypted = _ENCRYPTED_MARK in pem
    if encrypted and not passphrase:
        raise UserError(
            f"The {path.stem} key {path} is encrypted. Give its passphrase with --passphrase-file FILE or in "
            "SEED_SERVER_PASSPHRASE.",
            FaultKind.REFUSED,
        )
    try:
        key = load_pem_private_key(pem, passphrase if encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if encrypted:
            raise UserError(
                f"The passphrase does not open the {path.stem} key {path}. Check it and try again.", FaultKind.REFUSED
            ) from error
        raise _damaged(path) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _damaged(path)
    return key


@dataclass(frozen=True)
class OfflineKeys:
    """The folder of the offline keys, wherever it is attached, and what opens them."""

    folder: Path
    passphrase: bytes | None = None

    def has(self, role: str) -> bool:
        """Whether the folder has a key of ``role``."""
        return not _is_missing(key_path(self.folder, role))

    def load(self, role: str) -> Ed25519PrivateKey:
        """Return the key of an offline ``role``. Raises as `load_signing_key`; says what to do without its folder."""
        path = key_path(self.folder, role)
        if _is_missing(path):
            raise UserError(
                f"The {role} key is not at {path}: attach the offline folder or pass --offline-keys DIR.",
                FaultKind.NOT_SET_UP,
            )
        return load_signing_key(path, self.passphrase)


def is_encrypted(path: Path) -> bool:
    """Whether the key at ``path`` needs a passphrase; False for a missing one. Raises `UserError` (STORAGE)."""
    return not _is_missing(path) and _ENCRYPTED_MARK in _read(path)


def unencrypted_keys(folder: Path) -> list[Path]:
    """Return the keys in ``folder`` that need no passphrase. Raises `UserError` (STORAGE)."""
    return [path for path in sorted(folder.glob("*.pem")) if _ENCRYPTED_MARK not in _read(path)]


def write_public_key(path: Path, key: Ed25519PrivateKey) -> None:
    """Write the public half of ``key``, which anybody may read. Raises `UserError` (STORAGE)."""
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    try:
        durable_files.write_file(path, pem, mode=PUBLIC_KEY_MODE)
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror}. Check the disk.", FaultKind.STORAGE) from error


def read_public_key(path: Path) -> Ed25519PublicKey:
    """Return the public key in a file that a person named. Raises `UserError` (BAD_INPUT)."""
    try:
        key = load_pem_public_key(read_capped(path, MAX_KEY_FILE_BYTES))
    except OSError as error:
        raise UserError(
            f"Cannot read the key {path}: {error.strerror}. Check the path.", FaultKind.BAD_INPUT
        ) from error
    except (FileTooLargeError, ValueError, UnsupportedAlgorithm) as error:
        raise _no_public_key(path) from error
    if not isinstance(key, Ed25519PublicKey):
        raise _no_public_key(path)
    return key


def raw_public_key(key: Ed25519PublicKey) -> bytes:
    """Return the 32 bytes of a public key."""
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def check_private(path: Path) -> None:
    """Raise `UserError` (REFUSED) where others can read the key at ``path``, or open its folder; else `OSError`.

    Does nothing on Windows, where the mode says nothing.
    """
    if os.name == "nt":
        return
    path.stat()  # what is not there is said first
    for place, right in ((path.parent, KEY_DIRECTORY_MODE), (path, KEY_FILE_MODE)):
        mode = stat.S_IMODE(place.stat().st_mode)
        if mode & 0o077:
            close = f"Close it with: chmod {right:o} {shlex.quote(str(place))}"
            if place is not path and any(one.suffix not in KEY_SUFFIXES for one in place.iterdir()):
                close = "Move it to a folder of its own that nobody else can open."  # others may need this one
            raise UserError(
                f"Other users of this machine can open {place} (mode {mode:04o}), so the {path.stem} key may not be "
                f"secret; it is not used. {close}\nReplace the key if somebody else may have read it.",
                FaultKind.REFUSED,
            )


def key_path(folder: Path, role: str) -> Path:
    """Return where ``folder`` holds the key of ``role``."""
    return folder / f"{role}.pem"


def _is_missing(path: Path) -> bool:
    """Whether the file certainly does not exist. Where permissions hide that, reading it says so."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _read(path: Path) -> bytes:
    try:
        check_private(path)
        return read_capped(path, MAX_KEY_FILE_BYTES)
    except FileNotFoundError:
        raise UserError(
            f"The {path.stem} key is not at {path}. Restore it from the backup of this server's home.",
            FaultKind.NOT_SET_UP,
        ) from None
    except OSError as error:
        raise UserError(
            f"Cannot read the {path.stem} key {path}: {error.strerror}. Run this as the user who owns it.",
            FaultKind.STORAGE,
        ) from error
    except FileTooLargeError as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> UserError:
    return UserError(
        f"The {path.stem} key {path} is damaged or not an Ed25519 key. Restore it from a backup.", FaultKind.STORAGE
    )


def _no_public_key(path: Path) -> UserError:
    return UserError(
        f"{path} is no public Ed25519 key. Give the .pub file that 'seed-server keys new' wrote.", FaultKind.BAD_INPUT
    )
