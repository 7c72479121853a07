"""The fields of messages: their types, and the cap of each. Pure."""

from typing import Annotated

import msgspec

MAX_FEATURES = 64  # one or two a release; those that every release knows leave with the protocol before
MAX_FEATURE_CHARS = 32
MAX_PIECES = 65_536  # 10 GB in pieces of 256 KiB are 40 960; a bitfield has at most 8 KiB
MAX_PIECE_BYTES = 4 << 20  # either side holds a whole piece in memory
MAX_CONTROL_FRAME_BYTES = 256 << 10  # a full report with the longest texts, with room
MAX_DATA_FRAME_BYTES = MAX_PIECE_BYTES + 1_024  # one piece and its envelope, that of a coded one too
MAX_ADDRESSES = 16  # enough for one card with IPv6; more do not matter for the site
LEAST_LAN_PORT = 1_024  # below are system ports (RFC 6335): no PC shall be sent to some SSH or mail server
FEW_PIECES = 4  # a torrent of so few: one megabyte; a neighbour that has a piece of it soon has all
MAX_HOLDERS = 2  # one to fetch a small torrent from, and another if the first does not answer
MAX_BASES = 256  # former payloads that a PC has: of each patch two, and what it shares
HELD_BYTES = 8  # of a torrent's hash: the server knows which torrents there are
MAX_HOLDINGS = 8_192  # in one message: as many patches as a company publishes in two years
MAX_SITE_PEERS = 40  # as many as an endpoint connects to; the server's list changes, it does not grow
MAX_PATCHES_PER_REPORT = 40  # with three texts each, in any script, they fit into a control frame
MAX_TEXT_CHARS = 400
MAX_REPORTED_FLOWS = 16  # the largest connections of a PC; a transfer that matters is among them
MAX_REPORT_SECONDS = 60  # the interval of a report on the line: anything older says nothing about now
MAX_CARD_RATE = 125_000_000_000  # 1 Tbit/s: faster than any network card of a PC
DEFAULT_REPORT_SECONDS = 2.0  # a fleet of some hundred PCs: what the operator looks at is fresh
MAX_PACE_SECONDS = 3_600.0  # who speaks less often may as well connect when there is something to say
MAX_SERIAL = (1 << 31) - 1  # a report each second for 68 years
MAX_METADATA_VERSION = 1 << 40  # versions are seconds since 1970, or follow those of a clock that was far ahead
MAX_COPIES = 8  # other PCs with the same identity that are named: a person needs one, to find the first copy
MAX_LIMIT_REASONS = 32  # the closed list has 15
MAX_TEMPLATE_ITEMS = 50  # questions in one template: as many as a person reads in a table
MAX_TOLD_TIMESTAMP_BYTES = 4 << 10  # one has 600 with a signature
MAX_NEWS_MESSAGE_BYTES = 16 << 10  # some publications; more at once would be felt on a slow line
MAX_LABEL_CHARS = 80  # in the label of such a question

Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT_CHARS)]
Hash = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$", max_length=64)]
OptionalHash = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{64})?$", max_length=64)]
EndpointIdText = Annotated[str, msgspec.Meta(pattern="^[a-z2-7]{26}$", max_length=26)]
ShortText = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_LABEL_CHARS)]
Address = Annotated[str, msgspec.Meta(min_length=2, max_length=45)]  # longest IPv6 text
Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
LanPort = Annotated[int, msgspec.Meta(ge=LEAST_LAN_PORT, le=65_535)]
Instance = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}\\Z", max_length=32)]
"""A random number that one run of the daemon draws: two PCs with one identity have two."""
PieceNumber = Annotated[int, msgspec.Meta(ge=0, lt=MAX_PIECES)]
Bitfield = Annotated[bytes, msgspec.Meta(max_length=MAX_PIECES // 8)]
MAX_BYTE_COUNT = 1 << 50
ByteCount = Annotated[int, msgspec.Meta(ge=0, le=MAX_BYTE_COUNT)]
FlowId = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]
Seconds = Annotated[float, msgspec.Meta(ge=0.0, le=1e10)]
Feature = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9_]{1,32}\Z", max_length=MAX_FEATURE_CHARS)]
Features = Annotated[tuple[Feature, ...], msgspec.Meta(max_length=MAX_FEATURES)]
"""What its sender understands beyond the first form of its protocol; a name that is not known means nothing."""
ServerTime = Annotated[float, msgspec.Meta(ge=0.0, le=1e11)]  # until the year 5138
Serial = Annotated[int, msgspec.Meta(ge=0, le=MAX_SERIAL)]
PaceSeconds = Annotated[float, msgspec.Meta(ge=1.0, le=MAX_PACE_SECONDS)]
Rate = Annotated[int, msgspec.Meta(ge=0, le=1 << 50)]
"""Bytes per second."""
