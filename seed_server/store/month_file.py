"""The file of an archived month: what PCs did, with all names that make it readable for ever. Blocking.

After `MAGIC` come frames: a kind, the length, and as many bytes of zstd. Events are sorted by PC, time and patch, and
stand in blocks of columns: numbers of eight bytes, with all first bytes together, then all second ones, of which most
are equal and compress to nothing. What rises or stays (`DIFFERENCES`) is kept as the difference to the row before.
Names follow, then a frame that says how much there was, and where the names begin. Written and read a block at a time.
What is read is hostile: lengths are checked before memory is used.
"""

import itertools
import operator
import struct
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Literal, TypeAlias, TypeVar

import msgspec

from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import Document
from seed_server.store.event_rows import EventKey, EventNames, EventNumbers, PcEvent, Sought
from seed_server.store.tables import INSTALL_CODES, PATCH_CODES, REPORTED_SINCE, SAID_PLACES

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAGIC = b"p2pdist events 1\n"
EVENTS_OF_BLOCK = 32_768  # some 10 MB of memory while they are looked at
NAMES_OF_FRAME = 5_000
DIFFERENCES = ("endpoint", "at", "site")
LEVEL = 9  # 15 takes three times as long, for 2 % less
MAX_FRAME_BYTES = 8 << 20
MAX_NAMES_BYTES = 8 << 20  # of one frame, unpacked: texts of 500 signs in any script
MAX_MONTH_HEAD_BYTES = 64 << 10

_T = TypeVar("_T")
_Kind: TypeAlias = Literal["endpoints", "patches", "sites", "texts"]
_FRAME = struct.Struct(">BI")
_RANGE = struct.Struct(">I4q")  # how many events; the first and the last PC, the first and the last moment
_WIDTH = 8
_HEAD, _BLOCK, _NAMES, _END = b"HBNE"
_KINDS: tuple[_Kind, ...] = ("endpoints", "patches", "sites", "texts")
_LENGTH = struct.Struct(">I")  # of the last frame, behind it


class MonthFileError(Exception):
    """A file is no archive of a month, or was damaged."""


class MonthHead(Document, frozen=True, kw_only=True):
    """How the rest is to be understood, for whoever has nothing but the file."""

    format: Literal[1] = 1
    month: int
    """As 202611, UTC."""
    part: int
    since: int = REPORTED_SINCE
    """Moments are seconds since then, which is seconds since 1970."""
    columns: tuple[str, ...] = PcEvent._fields
    differences: tuple[str, ...] = DIFFERENCES
    """The columns of which the difference to the row before is kept; before the first one stands 0."""
    said_places: int = SAID_PLACES
    """``said`` is the place of a file's state in ``states``, times this, plus that of the installation's."""
    states: tuple[str, ...] = PATCH_CODES
    install_states: tuple[str, ...] = INSTALL_CODES


class _Names(Document, frozen=True, kw_only=True):
    """Some of the names."""

    kind: _Kind
    names: tuple[tuple[int, str, str], ...]
    """The number; the id and the host name of a PC, the id and the version of a patch, or a text and nothing."""


class _End(Document, frozen=True, kw_only=True):
    """The last frame."""

    events: int
    names_at: int
    """Where the first frame of names begins."""


def month_file_parts(
    head: MonthHead,
    blocks: Iterable[Sequence[PcEvent]],
    names_of: Callable[[EventNumbers], EventNames],
    *,
    names_of_frame: int = NAMES_OF_FRAME,
) -> Iterator[bytes]:
    """Yield the bytes of a file; ``blocks`` are in order, each of some `EVENTS_OF_BLOCK` at most."""
    at, count = 0, 0
    numbers = EventNumbers()
    first = MAGIC + _frame(_HEAD, codec.encode(head))
    yield first
    at += len(first)
    for events in blocks:
        numbers.note(events)
        count += len(events)
        part = _block(events)
        at += len(part)
        yield part
    for names in _pieces(names_of(numbers), names_of_frame):
        yield _frame(_NAMES, codec.encode(names))
    last = _frame(_END, codec.encode(_End(events=count, names_at=at)))
    yield last + _LENGTH.pack(len(last))


def _frame(kind: int, plain: bytes, before: bytes = b"") -> bytes:
    packed = before + zstd.compress(plain, LEVEL)
    return _FRAME.pack(kind, len(packed)) + packed


def _block(events: Sequence[PcEvent]) -> bytes:
    columns = tuple(zip(*events, strict=True))
    moments = columns[1]
    found = _RANGE.pack(len(events), events[0].endpoint, events[-1].endpoint, min(moments), max(moments))
    packed = (_packed(name, column) for name, column in zip(PcEvent._fields, columns, strict=True))
    return _frame(_BLOCK, b"".join(packed), found)


def _packed(name: str, column: Sequence[int]) -> bytes:
    kept = map(operator.sub, column, itertools.chain((0,), column)) if name in DIFFERENCES else column
    numbers = array("q", kept)
    if sys.byteorder == "big":
        numbers.byteswap()
    plain = numbers.tobytes()
    return b"".join(plain[place::_WIDTH] for place in range(_WIDTH))


def _unpacked(name: str, planes: bytes) -> Sequence[int]:
    count = len(planes) // _WIDTH
    plain = bytearray(len(planes))
    for place in range(_WIDTH):
        plain[place::_WIDTH] = planes[place * count : (place + 1) * count]
    numbers = array("q", bytes(plain))
    if sys.byteorder == "big":
        numbers.byteswap()
    return list(itertools.accumulate(numbers)) if name in DIFFERENCES else numbers


def _pieces(names: EventNames, most: int) -> Iterator[_Names]:
    for kind in _KINDS:
        known: dict[int, tuple[str, str] | str] = getattr(names, kind)
        rows = [
            (number, words, "") if isinstance(words, str) else (number, *words)
            for number, words in sorted(known.items())
        ]
        for start in range(0, len(rows), most):
            yield _Names(kind=kind, names=tuple(rows[start : start + most]))


@dataclass
class MonthFile:
    """An open file of a month. Its methods raise `MonthFileError`, and `OSError`."""

    file: BinaryIO
    head: MonthHead
    events: int
    names: EventNames
    _first_block: int = field(repr=False)
    _names_at: int = field(repr=False)

    @classmethod
    def of(cls, file: BinaryIO) -> "MonthFile":
        """Read all but the events of an open file, which the caller closes."""
        file.seek(0)
        if file.read(len(MAGIC)) != MAGIC:
            raise MonthFileError("it does not begin as the archive of a month does")
        head = _decoded(_plain(_read_frame(file, _HEAD), MAX_MONTH_HEAD_BYTES), MonthHead)
        if (head.columns, head.differences) != (PcEvent._fields, DIFFERENCES):
            raise MonthFileError("it has other columns: it is of a newer release")
        first_block = file.tell()
        end, end_at = _end_of(file)
        if not first_block <= end.names_at <= end_at:
            raise MonthFileError("its names are nowhere in it")
        names = EventNames({}, {}, {}, {})
        file.seek(end.names_at)
        while file.tell() < end_at:
            some = _decoded(_plain(_read_frame(file, _NAMES), MAX_NAMES_BYTES), _Names)
            known: dict[int, tuple[str, str] | str] = getattr(names, some.kind)
            paired = some.kind in {"endpoints", "patches"}
            known |= {number: (first, second) if paired else first for number, first, second in some.names}
        return cls(file, head, end.events, names, first_block, end.names_at)

    def blocks(self, sought: Sought | None = None, after: EventKey | None = None) -> Iterator[list[PcEvent]]:
        """Yield the events that are sought, behind ``after``, a block at a time; blocks without any are passed over."""
        wanted = sought or Sought()
        at = self._first_block
        while at < self._names_at:
            self.file.seek(at)
            length = _length_of(self.file, _BLOCK)
            at = self.file.tell() + length
            count, first, last, begin, end = _RANGE.unpack(_exactly(self.file, _RANGE.size))
            if count > EVENTS_OF_BLOCK:
                raise MonthFileError("a block has more events than any has")
            if (after is not None and last < after[0]) or not wanted.may_be_in(first, last, begin, end):
                continue
            most = count * len(PcEvent._fields) * _WIDTH
            plain = _plain(_exactly(self.file, length - _RANGE.size), most)
            if len(plain) != most:
                raise MonthFileError("a block has fewer events than it says")
            width = count * _WIDTH
            columns = [_unpacked(name, plain[k * width : (k + 1) * width]) for k, name in enumerate(PcEvent._fields)]
            if found := _chosen(columns, wanted, after):
                yield found


def _chosen(columns: Sequence[Sequence[int]], sought: Sought, after: EventKey | None) -> list[PcEvent]:
    """Return the events of a block that are sought; of the others none is made, which would take most of the time."""
    endpoint, at, patch, site, *_ = columns
    rows: Iterable[int] = range(len(endpoint))
    for column, numbers in ((endpoint, sought.endpoints), (patch, sought.patches), (site, sought.sites)):
        if numbers is not None:
            rows = [row for row in rows if column[row] in numbers]
    if sought.since is not None:
        rows = [row for row in rows if at[row] >= sought.since]
    if sought.until is not None:
        rows = [row for row in rows if at[row] < sought.until]
    if after is not None:
        rows = [row for row in rows if (endpoint[row], at[row], patch[row]) > after]
    if isinstance(rows, range):
        return list(map(PcEvent._make, zip(*columns, strict=True)))
    return [PcEvent._make([column[row] for column in columns]) for row in rows]


def _end_of(file: BinaryIO) -> tuple[_End, int]:
    """Return the last frame, and where it begins."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _LENGTH.size))
    (length,) = _LENGTH.unpack(_exactly(file, _LENGTH.size))
    at = size - _LENGTH.size - length
    if at < len(MAGIC) or length > MAX_MONTH_HEAD_BYTES:
        raise MonthFileError("it was cut off")
    file.seek(at)
    return _decoded(_plain(_read_frame(file, _END), MAX_MONTH_HEAD_BYTES), _End), at


def _length_of(file: BinaryIO, kind: int) -> int:
    found, length = _FRAME.unpack(_exactly(file, _FRAME.size))
    if found != kind or length > MAX_FRAME_BYTES or (kind == _BLOCK and length < _RANGE.size):
        raise MonthFileError("a part of it begins with what none begins with")
    return int(length)


def _read_frame(file: BinaryIO, kind: int) -> bytes:
    return _exactly(file, _length_of(file, kind))


def _exactly(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise MonthFileError("it was cut off")
    return data


def _plain(packed: bytes, most: int) -> bytes:
    try:
        unpacking = zstd.ZstdDecompressor()
        plain = unpacking.decompress(packed, most + 1)
    except zstd.ZstdError as error:
        raise MonthFileError(f"a part of it cannot be unpacked ({error})") from error
    if len(plain) > most or not unpacking.eof:
        raise MonthFileError("a part of it is larger than any is")
    return plain


def _decoded(data: bytes, kind: type[_T]) -> _T:
    try:
        found: _T = codec.decode(data, kind, max_bytes=MAX_NAMES_BYTES)
    except (codec.DecodeError, msgspec.MsgspecError) as error:
        raise MonthFileError(f"a part of it cannot be read ({error})") from error
    return found
