"""A certificate of the company's own for a port, in files that somebody else renews. Blocking.

Browsers trust what the company's authority has signed; the server's own authority is for PCs.
"""

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.certificates import parse_certificate
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.settings.server_toml import ServerSettings

MAX_CHAIN_BYTES = 128 << 10  # a certificate and some authorities, of 2 kB each, with what tools write above them
MAX_OWN_KEY_BYTES = 32 << 10  # RSA of 16,384 bits takes 13

FilesState: TypeAlias = tuple[tuple[int, int, int], ...]
"""Of each file: which one it is, when it was changed, how long it is."""


@dataclass(frozen=True)
class OwnChain:
    """What a port shows, and its key."""

    pem: bytes
    """The certificate, its authorities, and the key."""
    der: bytes
    """The certificate alone."""
    expires_at: float
    """Seconds since 1970."""


@dataclass(frozen=True)
class OwnCertificate:
    """The two files."""

    certificate: Path
    key: Path

    @classmethod
    def of_api(cls, settings: ServerSettings) -> "OwnCertificate | None":
        """Return those that ``server.toml`` names for the API's port; None: it names none."""
        if not settings.api_certificate:
            return None
        return cls(Path(settings.api_certificate), Path(settings.api_key))

    def state(self) -> FilesState:
        """Return what changes when a file is another one; nothing for a file that is not there."""
        found = []
        for path in (self.certificate, self.key):
            try:
                seen = path.stat()
            except OSError:
                continue
            found.append((seen.st_ino, seen.st_mtime_ns, seen.st_size))
        return tuple(found)

    def read(self) -> OwnChain:
        """Return what the files hold. Raises `UserError`: STORAGE, BAD_INPUT, and REFUSED for a key open to others."""
        chain, key = self._read(self.certificate, MAX_CHAIN_BYTES), self._read(self.key, MAX_OWN_KEY_BYTES)
        if self.key.stat().st_mode & stat.S_IROTH:
            raise UserError(
                f"Everybody on this machine can read {self.key}. Take that right away: chmod o= {self.key}",
                FaultKind.REFUSED,
            )
        try:
            certificate = parse_certificate(chain)
        except ValueError as error:
            raise UserError(
                f"{self.certificate} has no certificate that can be read ({error}). Write it there as PEM, and below "
                "it those of its authorities.",
                FaultKind.BAD_INPUT,
            ) from error
        if _public(self._private(key)) != certificate.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        ):
            raise UserError(
                f"{self.key} is not the key of the certificate in {self.certificate}. Put both of one pair there; if "
                "they are being renewed, this mends itself.",
                FaultKind.BAD_INPUT,
            )
        pem = b"\n".join([chain.strip(), key.strip(), b""])
        return OwnChain(pem, certificate.public_bytes(Encoding.DER), certificate.not_valid_after_utc.timestamp())

    def _private(self, pem: bytes) -> PrivateKeyTypes:
        try:
            return load_pem_private_key(pem, None)
        except TypeError as error:
            raise UserError(
                f"{self.key} is encrypted, and nobody is there to give the passphrase. Write it without one, for the "
                "server's user alone.",
                FaultKind.BAD_INPUT,
            ) from error
        except (ValueError, UnsupportedAlgorithm) as error:
            raise UserError(
                f"{self.key} has no private key that can be read. Write it there as PEM.", FaultKind.BAD_INPUT
            ) from error

    def _read(self, path: Path, most: int) -> bytes:
        try:
            if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
                raise UserError(f"{path} is no file. Name one in server.toml.", FaultKind.BAD_INPUT)
            return read_capped(path, most)
        except FileTooLargeError as error:
            raise UserError(
                f"{path} is over {most} bytes: it is none of a certificate.", FaultKind.BAD_INPUT
            ) from error
        except OSError as error:
            raise UserError(
                f"Cannot read {path}: {error.strerror}. Let the server's user read it.", FaultKind.STORAGE
            ) from error


def _public(key: PrivateKeyTypes) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
