"""What a PC tells its server of its facts and packages, as the server asks for it. Pure.

A PC says the digest of its inventory. The server asks for what has changed since the one that it has, part by part.
"""

import zlib
from typing import Annotated, Literal, TypeAlias

import msgspec

from p2pdist.shared.manifest.facts import MAX_PACKAGES
from p2pdist.shared.manifest.inventory import DIGEST_BYTES, Changes
from p2pdist.shared.manifest.ring_facts import MAX_FACT_NAME_CHARS, MAX_FACT_NUMBER, MAX_TOLD_FACT_CHARS
from p2pdist.shared.manifest.versions import MAX_VERSION_CHARS, Ecosystem
from p2pdist.shared.printable_text import printable
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError, Extensible, Message

MAX_INVENTORY_FACTS = 64  # four times as many as there are
MAX_FACT_TEXTS = 64
MAX_PACKAGE_NAME_CHARS = 100  # as in expressions
MAX_CHANGES_BYTES = MAX_PACKAGES * (MAX_PACKAGE_NAME_CHARS + MAX_VERSION_CHARS + 10) + (1 << 20)  # and all facts
MAX_TOLD_BYTES = 1 << 20  # compressed: 20,000 packages have a third of it, a desktop's 3,000 have 40 kB
LEAST_PART_BYTES = 1 << 10
MAX_PART_BYTES = 32 << 10  # a tenth of a second of a line of 2.5 Mbit/s

_Digest = Annotated[bytes, msgspec.Meta(min_length=DIGEST_BYTES, max_length=DIGEST_BYTES)]
_Offset = Annotated[int, msgspec.Meta(ge=0, le=MAX_TOLD_BYTES)]
_FactName = Annotated[str, msgspec.Meta(pattern=r"^[a-z_.]{1,32}\Z", max_length=MAX_FACT_NAME_CHARS)]
_FactText = Annotated[str, msgspec.Meta(max_length=MAX_TOLD_FACT_CHARS)]
_FactTexts = Annotated[tuple[_FactText, ...], msgspec.Meta(max_length=MAX_FACT_TEXTS)]
_FactNumber = Annotated[int, msgspec.Meta(ge=0, le=MAX_FACT_NUMBER)]
_Ecosystem: TypeAlias = Literal["deb", "rpm", "windows", "generic"]
_PackageName = Annotated[
    str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+_ ()-]{0,99}\Z", max_length=MAX_PACKAGE_NAME_CHARS)
]
_Version = Annotated[str, msgspec.Meta(pattern=r"^[ -~]{1,200}\Z", max_length=MAX_VERSION_CHARS)]


class InventoryStated(Message, frozen=True, tag="inventory"):
    """The digest of all that this PC would tell now; after the welcome, and when it is another. Feature ``inventory``.

    A server that has the same asks for nothing.
    """

    digest: _Digest


class InventoryWanted(Message, frozen=True, tag="inventory_wanted"):
    """Asks a PC that names the feature ``inventory`` for a part of what has changed. Answered by `InventoryPart`."""

    base: _Digest
    """Of what the server has of this PC; `EMPTY_DIGEST`: nothing."""
    most_bytes: Annotated[int, msgspec.Meta(ge=LEAST_PART_BYTES, le=MAX_PART_BYTES)]
    offset: _Offset = 0


class InventoryPart(Message, frozen=True, tag="inventory_part"):
    """A part of a PC's `Changes`, encoded and compressed (`packed`).

    Its offset is the one that was asked for; or 0 where this PC cannot go on with what it has begun: it begins again.
    """

    base: _Digest
    """What the changes are made to: what was asked for, or `EMPTY_DIGEST` where this PC does not know that any more."""
    digest: _Digest
    """What they make of it."""
    offset: _Offset
    total: _Offset
    """The length of all parts together."""
    data: Annotated[bytes, msgspec.Meta(max_length=MAX_PART_BYTES)] = b""


class ToldChanges(Extensible, frozen=True):
    """`Changes` as they are sent and kept. A further ecosystem, or type of a fact, needs a feature of its own."""

    facts: Annotated[
        dict[_FactName, bool | _FactNumber | _FactText | _FactTexts], msgspec.Meta(max_length=MAX_INVENTORY_FACTS)
    ] = msgspec.field(default_factory=dict)
    facts_gone: Annotated[tuple[_FactName, ...], msgspec.Meta(max_length=MAX_INVENTORY_FACTS)] = ()
    packages: dict[_Ecosystem, Annotated[dict[_PackageName, _Version], msgspec.Meta(max_length=MAX_PACKAGES)]] = (
        msgspec.field(default_factory=dict)
    )
    packages_gone: dict[_Ecosystem, Annotated[tuple[_PackageName, ...], msgspec.Meta(max_length=MAX_PACKAGES)]] = (
        msgspec.field(default_factory=dict)
    )


def packed(changes: Changes) -> bytes:
    """Return ``changes`` as msgpack, compressed (RFC 1950): 800 packages have some 12 kB."""
    packages: dict[str, dict[str, str]] = {}
    for (ecosystem, name), version in changes.packages.items():
        packages.setdefault(ecosystem.value, {})[name] = version
    gone: dict[str, list[str]] = {}
    for ecosystem, name in sorted(changes.packages_gone):
        gone.setdefault(ecosystem.value, []).append(name)
    fields = {
        "facts": {name: list(value) if isinstance(value, tuple) else value for name, value in changes.facts.items()},
        "facts_gone": sorted(changes.facts_gone),
        "packages": packages,
        "packages_gone": gone,
    }
    return zlib.compress(codec.encode({name: value for name, value in fields.items() if value}))


def unpacked(data: bytes) -> Changes:
    """Return what `packed` made of changes. Raises `DecodeError`; more than the cap is never decompressed.

    Takes some milliseconds for a desktop's packages: in a thread, where others wait.
    """
    unpacking = zlib.decompressobj()
    try:
        encoded = unpacking.decompress(data, MAX_CHANGES_BYTES)
    except zlib.error as error:
        raise DecodeError(f"no compressed inventory: {error}") from error
    if not unpacking.eof or unpacking.unused_data:
        raise DecodeError("an inventory that is larger than it may be, cut off, or followed by something else")
    told: ToldChanges = codec.decode(encoded, ToldChanges, max_bytes=MAX_CHANGES_BYTES)
    changes = Changes(
        told.facts,
        frozenset(told.facts_gone),
        {
            (Ecosystem(ecosystem), name): version
            for ecosystem, packages in told.packages.items()
            for name, version in packages.items()
        },
        frozenset((Ecosystem(ecosystem), name) for ecosystem, names in told.packages_gone.items() for name in names),
    )
    if len(changes.packages) > MAX_PACKAGES or len(changes.packages_gone) > MAX_PACKAGES:
        raise DecodeError(f"an inventory of more than {MAX_PACKAGES} packages")
    for value in changes.facts.values():
        if any(
            isinstance(text, str) and printable(text) != text
            for text in (value if isinstance(value, tuple) else (value,))
        ):
            raise DecodeError("a fact that is not one line of visible signs")
    return changes
