"""What a PC that keeps more than its quota asks its server, and the answer. Pure."""

from typing import Annotated

import msgspec

from p2pdist.shared.wire.codec import Message

SPARE_HASH_BYTES = 32
MAX_SPARE_TORRENTS = 64  # a PC asks for the next ones when these are answered

SpareTorrents = Annotated[bytes, msgspec.Meta(max_length=MAX_SPARE_TORRENTS * SPARE_HASH_BYTES)]
"""Whole torrent hashes, one after the other."""


class SpareWanted(Message, frozen=True, tag="spare_wanted"):
    """Asks which of these torrents, all of which are here, the site can spare from this PC. Answered by `SpareCopies`.

    To a server with the feature ``spare_copies``.
    """

    torrents: SpareTorrents


class SpareCopies(Message, frozen=True, tag="spare"):
    """Those that it can spare: from now on this PC does not count as having them, until it says so again."""

    torrents: SpareTorrents = b""
