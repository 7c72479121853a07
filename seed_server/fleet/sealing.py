"""Secrets that the server has to know again: sealed, with a key that is not in the database. Blocking.

A copy of the database alone tells nobody what they are, and none opens under another name than its own.
"""

import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from p2pdist.shared import durable_files
from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from seed_server.signing.key_files import KEY_FILE_MODE, check_private

SEALING_KEY_BYTES = 32
NONCE_BYTES = 12


class SealingError(Exception):
    """The key cannot be used; the text is a clause that says why."""


class NotOpenedError(SealingError):
    """It does not open what was sealed, or that is of another name."""


def seal(key_file: Path, name: str, secret: bytes) -> bytes:
    """Return a secret that only the key in ``key_file`` opens, for this name alone; the key is made where none is.

    Raises `SealingError`, and `UserError` (REFUSED) for a key that others can read.
    """
    nonce = os.urandom(NONCE_BYTES)
    return nonce + ChaCha20Poly1305(_key(key_file, make=True)).encrypt(nonce, secret, name.encode())


def unsealed(key_file: Path, name: str, sealed: bytes) -> bytes:
    """Return the secret that was sealed for ``name``. Raises as `seal`, and `NotOpenedError`."""
    key = ChaCha20Poly1305(_key(key_file, make=False))
    try:
        return key.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], name.encode())
    except (InvalidTag, ValueError) as error:
        raise NotOpenedError("it does not open what was sealed") from error


def _key(path: Path, *, make: bool) -> bytes:
    try:
        if make and not path.exists():
            durable_files.write_file(path, os.urandom(SEALING_KEY_BYTES), mode=KEY_FILE_MODE)
        check_private(path)
        key = read_capped(path, SEALING_KEY_BYTES)
    except OSError as error:
        raise SealingError(error.strerror or "it cannot be read") from error
    except FileTooLargeError as error:
        raise SealingError("it is too long") from error
    if len(key) != SEALING_KEY_BYTES:
        raise SealingError("it is too short")
    return key
