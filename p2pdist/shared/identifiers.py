"""The names that both sides use: endpoint, patch, site, hashes. Pure.

Every identifier passes through one of the ``parse_*`` functions before it reaches
a file name, a log line or a database. So each has a narrow alphabet and a named
length cap.
"""

import base64
import hashlib
import ipaddress
import re
import zlib
from collections.abc import Callable
from typing import NamedTuple, NewType, TypeVar

from p2pdist.shared.errors import FaultKind, UserError

T = TypeVar("T")

EndpointId = NewType("EndpointId", str)
"""Base32 (lower case, no padding) of the first 16 bytes of SHA-256 of the endpoint's public key."""

PatchId = NewType("PatchId", str)
PatchVersion = NewType("PatchVersion", str)
SiteName = NewType("SiteName", str)

Sha256Hex = NewType("Sha256Hex", str)
"""64 lower-case hexadecimal digits."""

TorrentHash = NewType("TorrentHash", str)
"""The v2 info-hash (SHA-256 of the info dictionary, BEP 52), 64 lower-case hexadecimal digits."""

PieceIndex = NewType("PieceIndex", int)

PATCH_NAME_MAX_CHARS = 64  # with a version of the same length it fits into a file name on every file system
FILE_NAME_MAX_BYTES = 255  # NAME_MAX on Linux, macOS and NTFS
ENDPOINT_ID_CHARS = 26  # base32 of 16 bytes

_PATCH_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]*\Z")
# Windows takes these for devices, in any directory, and whatever follows a dot
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])[ ]*(\.|\Z)", re.IGNORECASE)
_FORBIDDEN_IN_FILE_NAMES = frozenset('/\\:*?"<>|')
_SITE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]*\Z")
_SHA256_HEX = re.compile(r"[0-9a-f]{64}\Z")
_ENDPOINT_ID = re.compile(rf"[a-z2-7]{{{ENDPOINT_ID_CHARS}}}\Z")


class InvalidIdentifierError(ValueError):
    """A name from outside does not have the form that its kind of name requires."""


def given_name(parse: Callable[[str], T], text: str) -> T:
    """Return what ``parse``, of this module, makes of a name that a person gave. Raises `UserError` (BAD_INPUT)."""
    try:
        return parse(text)
    except InvalidIdentifierError as error:
        raise UserError(str(error), FaultKind.BAD_INPUT) from error


def _patch_name(text: str, kind: str) -> str:
    if len(text) > PATCH_NAME_MAX_CHARS or not _PATCH_NAME.match(text):
        raise InvalidIdentifierError(
            f"{kind} {text[:80]!r} is not valid: use 1 to {PATCH_NAME_MAX_CHARS} letters, digits "
            "and . _ + ~ - , and begin with a letter or a digit."
        )
    if (problem := _unfit_for_windows(text)) is not None:  # it names a directory on every PC
        raise InvalidIdentifierError(f"{kind} {text!r} is not valid: {problem}.")
    return text


def parse_patch_id(text: str) -> PatchId:
    """Return ``text`` as a patch id, or raise `InvalidIdentifierError`."""
    return PatchId(_patch_name(text, "patch id"))


def parse_patch_version(text: str) -> PatchVersion:
    """Return ``text`` as a patch version, or raise `InvalidIdentifierError`."""
    return PatchVersion(_patch_name(text, "version"))


class PatchRef(NamedTuple):
    """The name of a patch in one version, as commands, records and relations use it."""

    patch_id: str
    version: str

    def __str__(self) -> str:
        return f"{self.patch_id}@{self.version}"

    @classmethod
    def parse(cls, text: str) -> "PatchRef":
        """Return the patch that ``text`` (ID@VERSION) names, or raise `InvalidIdentifierError`."""
        patch_id, _, version = text.partition("@")
        return cls(parse_patch_id(patch_id), parse_patch_version(version))

    @classmethod
    def named(cls, text: str) -> "PatchRef":
        """Return what ID or ID@VERSION names; without a version, that is empty. Raises `InvalidIdentifierError`."""
        check_relation(text)
        return cls.of_relation(text)

    @classmethod
    def of_relation(cls, relation: str) -> "PatchRef":
        """Return what ``relation``, an id or ID@VERSION, names; unchecked, and without a version where it has none."""
        patch_id, _, version = relation.partition("@")
        return cls(patch_id, version)

    def matches(self, relation: str) -> bool:
        """Return whether ``relation`` (ID or ID@VERSION) names this patch."""
        return self.is_named(PatchRef.of_relation(relation))

    def is_named(self, named: "PatchRef") -> bool:
        """Return whether ``named``, which may have no version, names this patch."""
        return named.patch_id == self.patch_id and named.version in ("", self.version)


def related_id(relation: str) -> str:
    """Return the id in ``relation`` (ID or ID@VERSION)."""
    return PatchRef.of_relation(relation).patch_id


def check_relation(relation: str) -> None:
    """Raise `InvalidIdentifierError` for anything but ID or ID@VERSION."""
    patch_id, at, version = relation.partition("@")
    parse_patch_id(patch_id)
    if at:
        parse_patch_version(version)


def parse_site_name(text: str) -> SiteName:
    """Return ``text`` as a site name, or raise `InvalidIdentifierError`."""
    if len(text) > PATCH_NAME_MAX_CHARS or not _SITE_NAME.match(text):
        raise InvalidIdentifierError(
            f"site name {text[:80]!r} is not valid: use 1 to {PATCH_NAME_MAX_CHARS} letters, digits "
            "and . _ : / - , and begin with a letter or a digit."
        )
    return SiteName(text)


def parse_template_name(text: str) -> str:
    """Return ``text`` as the name of a diagnosis template, or raise `InvalidIdentifierError`."""
    return _patch_name(text, "template name")


def parse_endpoint_id(text: str) -> EndpointId:
    """Return ``text`` as an endpoint id, or raise `InvalidIdentifierError`."""
    if not _ENDPOINT_ID.match(text):
        raise InvalidIdentifierError(
            f"endpoint id {text[:80]!r} is not valid: it has {ENDPOINT_ID_CHARS} characters a-z, 2-7."
        )
    return EndpointId(text)


def parse_sha256(text: str) -> Sha256Hex:
    """Return ``text`` as a SHA-256 in lower-case hexadecimal, or raise `InvalidIdentifierError`."""
    if not _SHA256_HEX.match(text):
        raise InvalidIdentifierError(f"{text[:80]!r} is not a SHA-256: it has 64 digits 0-9, a-f.")
    return Sha256Hex(text)


def parse_torrent_hash(text: str) -> TorrentHash:
    """Return ``text`` as a v2 info-hash, or raise `InvalidIdentifierError`."""
    return TorrentHash(parse_sha256(text))


def parse_file_name(text: str) -> str:
    """Return ``text`` as a bare file name that is safe on every platform.

    Raises `InvalidIdentifierError` for a path, a character that cannot be printed, a name that begins with a dot or
    that Windows cannot have, and one that is longer than `FILE_NAME_MAX_BYTES`.
    """
    problem = file_name_problem(text)
    if problem is not None:
        raise InvalidIdentifierError(f"file name {text[:80]!r} is not valid: {problem}.")
    return text


def file_name_problem(text: str) -> str | None:
    """Return why ``text`` is no bare file name that every platform can have; None: it is one."""
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        return "it is not UTF-8, so other PCs would read another name; rename the file"
    strange = next((sign for sign in text if sign in _FORBIDDEN_IN_FILE_NAMES or not sign.isprintable()), None)
    if strange is not None:
        return f'it has {strange!r} in it; it must be a bare name of printable characters without / \\ : * ? " < > |'
    size = len(text.encode())
    if not 1 <= size <= FILE_NAME_MAX_BYTES:
        return f"it has {size} bytes in UTF-8, and must have 1 to {FILE_NAME_MAX_BYTES}"
    if text.startswith("."):
        return "it begins with a dot"
    return _unfit_for_windows(text)


def _unfit_for_windows(text: str) -> str | None:
    if text.endswith((" ", ".")):
        return f"it ends with a {'blank' if text.endswith(' ') else 'dot'}, which Windows would leave out"
    if device := _DEVICE.match(text):
        return f"{device[1]!r} is a device on Windows, and no file can have its name"
    return None


def parse_ip_address(text: str) -> str:
    """Return the normal form of an IPv4 or IPv6 address, or raise `InvalidIdentifierError`."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise InvalidIdentifierError(f"{text[:80]!r} is not an IP address.") from None


def endpoint_id_of_public_key(spki_der: bytes) -> EndpointId:
    """Return the endpoint id of a public key (DER SubjectPublicKeyInfo). Nobody can have an id without its key."""
    digest = hashlib.sha256(spki_der).digest()[:16]
    return EndpointId(base64.b32encode(digest).decode().rstrip("=").lower())


def share_of(endpoint_id: EndpointId) -> float:
    """Return a number from 0 to 1 that is another one for each endpoint: what all do is spread over a time by it."""
    return zlib.crc32(endpoint_id.encode()) / (1 << 32)


def opaque_tag(text: str) -> str:
    """Return a short tag for ``text`` that does not reveal it: 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
