"""The server's private keys in a backup: encrypted with a passphrase, together with the list of the other files.

AES-256-GCM with a key that scrypt makes of the passphrase (RFC 7914): a guess costs 128 MB of memory and a third of a
second. The layout is: magic, log2 of scrypt's cost, salt, nonce, ciphertext. All before the last is authenticated too.
"""

from collections.abc import Callable, Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError, Record
from seed_server.backup.manifest import is_safe_path

SEALED_MAGIC = b"p2pdist keys 1\n"
COST_LOG2 = 17  # OWASP's first choice: 128 MiB with blocks of 8
MOST_COST_LOG2 = 20  # 1 GiB: a later release may ask for more than this one, a stranger's file for no more than that
LEAST_COST_LOG2 = 14
SEAL_SALT_BYTES, SEAL_NONCE_BYTES = 16, 12
MAX_SEALED_KEYS_BYTES = 4 << 20  # a home has a dozen keys of a few hundred bytes
_BLOCKS, _LANES, _KEY_BYTES = 8, 1, 32


class SealedKeysError(ValueError):
    """Sealed keys that do not open; the text is a clause for people."""


class _Contents(Record, frozen=True):
    list_sha256: bytes
    """Of the files that were backed up with the keys."""
    keys: dict[str, bytes]


def seal(
    keys: Mapping[str, bytes],
    list_digest: bytes,
    passphrase: bytes,
    random_bytes: Callable[[int], bytes],
    *,
    cost_log2: int = COST_LOG2,
) -> bytes:
    """Return keys, by their paths from the home on, encrypted; ``list_digest`` is `FileList.digest`."""
    salt, nonce = random_bytes(SEAL_SALT_BYTES), random_bytes(SEAL_NONCE_BYTES)
    head = SEALED_MAGIC + bytes([cost_log2]) + salt + nonce
    contents = codec.encode(_Contents(list_digest, dict(keys)))
    return head + AESGCM(_key(passphrase, salt, cost_log2)).encrypt(nonce, contents, head)


def open_sealed(data: bytes, list_digest: bytes, passphrase: bytes) -> dict[str, bytes]:
    """Return the keys. Raises `SealedKeysError`: another passphrase, changed, or not of this list of files."""
    size = len(SEALED_MAGIC) + 1 + SEAL_SALT_BYTES + SEAL_NONCE_BYTES
    head, ciphertext = data[:size], data[size:]
    if not head.startswith(SEALED_MAGIC) or len(head) < size:
        raise SealedKeysError("they are not as this release seals them")
    cost_log2 = head[len(SEALED_MAGIC)]
    if not LEAST_COST_LOG2 <= cost_log2 <= MOST_COST_LOG2:
        raise SealedKeysError("they are sealed at a cost that this release does not take")
    salt, nonce = head[-SEAL_SALT_BYTES - SEAL_NONCE_BYTES : -SEAL_NONCE_BYTES], head[-SEAL_NONCE_BYTES:]
    try:
        opened = AESGCM(_key(passphrase, salt, cost_log2)).decrypt(nonce, ciphertext, head)
    except InvalidTag:
        raise SealedKeysError("the passphrase is another one, or they were changed") from None
    try:
        contents: _Contents = codec.decode(opened, _Contents, max_bytes=MAX_SEALED_KEYS_BYTES)
    except DecodeError as error:
        raise SealedKeysError("they hold what this release does not know") from error
    if contents.list_sha256 != list_digest:
        raise SealedKeysError("they were sealed with another list of files: the list was changed, or put together")
    if not all(path.startswith("keys/") and is_safe_path(path) for path in contents.keys):
        raise SealedKeysError("they hold what this release does not know")
    return contents.keys


def _key(passphrase: bytes, salt: bytes, cost_log2: int) -> bytes:
    return Scrypt(salt=salt, length=_KEY_BYTES, n=1 << cost_log2, r=_BLOCKS, p=_LANES).derive(passphrase)
