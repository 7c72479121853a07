"""What comes over the wire, or from the network part: frames, messages, tokens."""

import base64
import contextlib
import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import trio
import trio.testing

from bench.fuzz.target import Target, must, refused_by
from p2pdist.network import messages as part
from p2pdist.shared.channel import Channel, ChannelEndedError
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.wire import bitfield, channels, codec, data_messages, enrolment, line_messages, messages
from p2pdist.shared.wire.bitfield import BitfieldError
from p2pdist.shared.wire.codec import MAX_DECODE_ERROR_CHARS, DecodeError
from p2pdist.shared.wire.frames import FrameDecoder, FrameError, encode_frame

HASH = "a" * 64
SMALL_FRAME_BYTES = 64
MOST_PIECES = 4_096


def texts_in(value: Any) -> Iterator[str]:
    """Yield every text in a decoded value, keys too."""
    waiting = [msgspec.to_builtins(value, builtin_types=(bytes,))]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple):
            waiting += one


# --- frames --------------------------------------------------------------------------------------


def _fed(data: bytes, step: int) -> tuple[list[bytes], str]:
    decoder, bodies, problem = FrameDecoder(max_bytes=SMALL_FRAME_BYTES), list[bytes](), ""
    try:
        for at in range(0, len(data), step):
            bodies += decoder.feed(data[at : at + step])
        decoder.at_end_of_stream()
    except FrameError as error:
        problem = str(error)
    return bodies, problem


def _frames(data: bytes) -> None:
    whole, problem = _fed(data, len(data) or 1)
    slowly, again = _fed(data, 1 + len(data) % 7)
    # fed at once, a decoder that meets a bad header gives nothing of that read
    must(problem == again, "a stream is refused alike, however it is cut")
    must(problem or whole == slowly, "frames are the same, however the stream is cut")
    must(all(0 < len(body) <= SMALL_FRAME_BYTES for body in slowly), "no frame is over the cap")


def _frame_seeds() -> Iterator[bytes]:
    yield encode_frame(b"one", max_bytes=SMALL_FRAME_BYTES) + encode_frame(b"x" * 64, max_bytes=SMALL_FRAME_BYTES)
    yield b"\0\0\0\0"
    yield b"\xff\xff\xff\xff"


# --- messages ------------------------------------------------------------------------------------

_DECODERS: list[Callable[[bytes], Any]] = [
    channels.decode_hello,
    channels.decode_from_endpoint,
    channels.decode_from_server,
    channels.decode_on_data_connection,
]


def _decoded(decode: Callable[[bytes], Any], data: bytes, *, printable: bool) -> None:
    value = None
    with refused_by(DecodeError, MAX_DECODE_ERROR_CHARS):
        value = decode(data)
    if value is not None:
        known = not isinstance(value, channels.UnknownKind)
        must(not known or decode(codec.encode(value)) == value, "a message is decoded to what it was")
        must(not printable or all(map(str.isprintable, texts_in(value))), "texts are visible signs alone")


def _messages(data: bytes) -> None:
    for decode in _DECODERS:
        _decoded(decode, data, printable=True)


def _message_seeds() -> Iterator[bytes]:
    report = messages.PatchReport("vlc", "3.0", "fetching", 0.5, 1, 2, 3, 4.0, "", "waiting", "why")
    peer = messages.SitePeer("a" * 26, "10.0.0.1", 7_691)
    for message in (
        messages.ControlHello(
            messages.PROTOCOL_VERSION, "1.0", "pc", ["10.0.0.1", "fd00::1"], 7_691, True, True, 60, "0" * 32
        ),
        messages.Want(HASH, b"\x80", b"", False, True),
        messages.Helping("less"),
        messages.Holdings(bytes(16)),
        messages.PieceStored(HASH, 3),
        messages.Report([report], ""),
        line_messages.LinkReport(0.5, 1_000, ((1, 2), (3, 4)), 0.01, 125_000_000, 5_000, 6_000),
        messages.Diagnosis("openssl", (messages.DiagnosisAnswer("is old", True, None, "1.0 < 3.0"),)),
        messages.Welcome("server", "hq", 7, 1_500, True, 1.8e9),
        messages.SitePeers(True, [peer], ["b" * 26]),
        messages.Holders(HASH, ["b" * 26]),
        messages.Unavailable(HASH, "damaged"),
        messages.DataWanted(),
        line_messages.LinkWatch(None),
        line_messages.SiteLimit(1_000, None, False, "steady", "idle", {"idle": 1.5}, 0.0, None),
        messages.Goodbye("stopped", "", []),
        messages.Goodbye("a copy", "shared_identity", [messages.OtherPc("pc", "10.0.0.2")]),
        messages.SharedIdentity([messages.OtherPc("pc", "10.0.0.2")]),
        data_messages.DataHello(messages.PROTOCOL_VERSION, "0" * 32, False),
        data_messages.Piece(HASH, 0, b"data"),
    ):
        yield channels.encode_message(message)


def _bitfield(data: bytes) -> None:
    count = int.from_bytes(data[:2], "big") % MOST_PIECES
    with contextlib.suppress(BitfieldError):
        pieces = bitfield.unpack(data[2:], count)
        must(bitfield.pack(pieces, count) == data[2:], "a bitfield is packed as it was")


# --- the network part ----------------------------------------------------------------------------


def _part_messages(data: bytes) -> None:
    _decoded(part.decode_to_part, data, printable=False)
    _decoded(part.decode_from_part, data, printable=True)
    with refused_by(DecodeError, MAX_DECODE_ERROR_CHARS):
        message = part.decode_from_part(data)
        if isinstance(message, part.Snapshot):
            message.unpacked()


def _part_seeds() -> Iterator[bytes]:
    for message in (
        part.Started(7_691),
        part.NotStarted(FaultKind.BUSY, "the port is in use"),
        part.Done(1),
        part.Failed(1, FaultKind.STORAGE, "full"),
        part.Snapshot(HASH, "downloading", 8, b"\xf0", b"\x0f", 1, 2, 3, 0.5, (), None),
        part.LanBytes(1, 2, 3),
        part.HttpDone(1, 200, b"{}"),
        part.FromEngine(()),
        part.ToOrigin(messages.PieceStored(HASH, 3)),
        part.AddTorrent(1, b"d1:ai1ee", HASH, False),
        part.ConnectPeer(HASH, "10.0.0.1", 7_691),
        part.Taken("pieces"),
    ):
        yield codec.encode(message)


def _channel(data: bytes) -> None:
    async def run() -> None:
        daemon, network = trio.testing.memory_stream_pair()
        channel = Channel(daemon, daemon, part.decode_from_part, max_bytes=part.MAX_MESSAGE_BYTES)
        await network.send_all(data)
        await network.send_eof()
        with contextlib.suppress(ChannelEndedError):
            await channel.run(_heard)
            must(False, "a channel ends with its other side")

    trio.run(run)


async def _heard(message: part.FromPart) -> None:
    must(isinstance(message, part.PartMessage), "a channel hands over messages alone")


def _channel_seeds() -> Iterator[bytes]:
    for body in _part_seeds():
        yield encode_frame(body, max_bytes=part.MAX_MESSAGE_BYTES)


# --- enrolment -----------------------------------------------------------------------------------


def _token(data: bytes) -> None:
    body = hashlib.sha256(data).digest()[:4] + data  # what is typed in has to get past the checksum
    for text in (data.decode("utf-8", "replace"), enrolment.TOKEN_PREFIX + base64.urlsafe_b64encode(body).decode()):
        with contextlib.suppress(UserError):
            token = enrolment.decode_token(text)
            must(enrolment.decode_token(enrolment.encode_token(token)) == token, "a token is decoded to what it was")


def _token_seeds() -> Iterator[bytes]:
    token = enrolment.Token(
        address="patches.example", web_port=7_443, ca_pin=b"p" * 32, root_pin=b"r" * 32, secret=b"s" * 16
    )
    yield codec.encode(token)
    yield enrolment.encode_token(token).encode()


def _enrolment_body(data: bytes) -> None:
    for kind in (
        enrolment.EnrolRequest, enrolment.RenewRequest, enrolment.EnrolReply, enrolment.Certificates, enrolment.Problem,
    ):  # fmt: skip
        value: Any = None
        with refused_by(DecodeError, MAX_DECODE_ERROR_CHARS):
            value = enrolment.decode_body(data, kind)
        if value is not None:
            must(enrolment.decode_body(enrolment.encode_body(value), kind) == value, "a body is decoded to what it was")


def _enrolment_seeds() -> Iterator[bytes]:
    certificates = enrolment.Certificates("a", "b", "c", "d")
    yield enrolment.encode_body(enrolment.EnrolRequest("0" * 32, "-----BEGIN CERTIFICATE REQUEST-----", "pc"))
    yield enrolment.encode_body(enrolment.RenewRequest("-----BEGIN CERTIFICATE REQUEST-----"))
    yield enrolment.encode_body(enrolment.EnrolReply("a" * 26, "server", 7_444, certificates, "{}", ("kiosk",)))
    yield enrolment.encode_body(enrolment.Problem("The token has expired."))


TARGETS = (
    Target("frames", _frames, _frame_seeds, max_bytes=512),
    Target("messages", _messages, _message_seeds, msgpack=True),
    Target("bitfield", _bitfield, lambda: [b"\0\x09\xff\x80"], max_bytes=600),
    Target("part-messages", _part_messages, _part_seeds, msgpack=True),
    Target("part-channel", _channel, _channel_seeds),
    Target("token", _token, _token_seeds, max_bytes=2_000),
    Target("enrolment-body", _enrolment_body, _enrolment_seeds),
)
