"""The wire vocabulary under any input: a value comes back as it went, bytes decode or are refused."""

import contextlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from p2pdist.shared.errors import UserError
from p2pdist.shared.manifest import documents
from p2pdist.shared.wire import bitfield, channels, codec, data_messages, enrolment, fields, messages
from p2pdist.shared.wire.bitfield import BitfieldError
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.shared.wire.frames import FrameDecoder, FrameError, encode_frame
from tests.helpers.piece_sets import iter_pieces, pieces_of

DECODERS: list[Any] = [
    channels.decode_hello,
    channels.decode_from_endpoint,
    channels.decode_from_server,
    channels.decode_on_data_connection,
    documents.decode_manifest,
    documents.decode_rollouts,
    lambda data: enrolment.decode_body(data, enrolment.EnrolReply),
]
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
field_names = st.sampled_from(
    ["t", "torrent", "piece", "data", "have", "protocol", "nonce", "patches", "format", "entries"]
)
tags = st.sampled_from(["hello", "data", "want", "stored", "report", "peers", "piece", "ping", "goodbye", "nonsense"])
hashes = st.text("0123456789abcdef", min_size=64, max_size=64)
bitfields = st.binary(max_size=64)


@given(st.binary(max_size=400))
def test_any_bytes_decode_or_raise_decode_error(data: bytes) -> None:
    for decode in DECODERS:
        with contextlib.suppress(DecodeError):
            decode(data)


@given(plain, st.dictionaries(field_names, plain, max_size=6), tags)
def test_any_structure_decodes_or_raises_decode_error(value: Any, extra: dict[str, Any], tag: str) -> None:
    for data in (codec.encode(value), codec.encode(extra | {"t": tag})):
        for decode in DECODERS:
            with contextlib.suppress(DecodeError):
                decode(data)


@given(hashes, bitfields, bitfields, st.booleans(), st.booleans())
def test_a_want_round_trips(torrent: str, have: bytes, lan_have: bytes, stalled: bool, can_fetch: bool) -> None:
    want = messages.Want(torrent=torrent, have=have, lan_have=lan_have, lan_stalled=stalled, can_fetch=can_fetch)
    assert channels.decode_from_endpoint(channels.encode_message(want)) == want


@given(hashes, st.integers(0, fields.MAX_PIECES - 1), st.binary(min_size=1, max_size=500))
def test_a_piece_round_trips_and_a_flipped_bit_never_crashes(torrent: str, index: int, data: bytes) -> None:
    piece = data_messages.Piece(torrent=torrent, piece=index, data=data)
    encoded = channels.encode_message(piece)
    assert channels.decode_on_data_connection(encoded) == piece
    for at in range(0, len(encoded), 7):
        flipped = bytearray(encoded)
        flipped[at] ^= 1 << at % 8
        with contextlib.suppress(DecodeError):
            channels.decode_on_data_connection(bytes(flipped))


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.data())
def test_frames_come_out_as_they_went_in_however_the_stream_is_cut(bodies: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(encode_frame(body, max_bytes=40) for body in bodies)
    decoder = FrameDecoder(max_bytes=40)
    seen: list[bytes] = []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        seen += decoder.feed(stream[:cut])
        stream = stream[cut:]
    decoder.at_end_of_stream()
    assert seen == bodies


@given(st.lists(st.binary(max_size=30), max_size=10))
def test_any_stream_gives_frames_within_the_cap_or_frame_error(chunks: list[bytes]) -> None:
    decoder = FrameDecoder(max_bytes=20)
    with contextlib.suppress(FrameError):
        for chunk in chunks:
            assert all(1 <= len(body) <= 20 for body in decoder.feed(chunk))


@given(st.sets(st.integers(0, 2_000)), st.integers(0, 50))
def test_piece_sets_round_trip(indices: set[int], spare: int) -> None:
    count = max(indices, default=-1) + 1 + spare
    pieces = pieces_of(indices)
    assert bitfield.unpack(bitfield.pack(pieces, count), count) == pieces
    assert list(iter_pieces(pieces)) == sorted(indices)
    assert bitfield.first_piece(pieces) == min(indices, default=None)
    assert pieces | bitfield.all_pieces(count) == bitfield.all_pieces(count)
    assert pieces.bit_count() == len(indices)


@given(st.binary(max_size=20), st.integers(0, 160))
def test_any_bitfield_unpacks_to_itself_or_is_refused(data: bytes, count: int) -> None:
    try:
        pieces = bitfield.unpack(data, count)
    except BitfieldError:
        return
    assert bitfield.pack(pieces, count) == data


@given(
    st.text(min_size=1, max_size=253), st.integers(1, 65_535), st.binary(min_size=32, max_size=32),
    st.binary(min_size=32, max_size=32), st.binary(min_size=16, max_size=16),
)  # fmt: skip
def test_a_token_round_trips_or_is_too_long(
    address: str, port: int, pin: bytes, root_pin: bytes, secret: bytes
) -> None:
    token = enrolment.Token(address=address, web_port=port, ca_pin=pin, root_pin=root_pin, secret=secret)
    text = enrolment.encode_token(token)
    if len(text) <= enrolment.MAX_TOKEN_CHARS:
        assert enrolment.decode_token(text) == token


@given(st.text(max_size=200))
def test_any_text_is_a_token_or_a_user_error(text: str) -> None:
    for candidate in (text, enrolment.TOKEN_PREFIX + text):
        with contextlib.suppress(UserError):
            enrolment.decode_token(candidate)
