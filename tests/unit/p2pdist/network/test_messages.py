"""`p2pdist.network.messages`: whatever the network part sends is a declared message, or refused."""

import contextlib
from collections.abc import Callable

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pdist.network.messages import (
    MAX_MESSAGE_BYTES,
    Done,
    FromOrigin,
    PartMessage,
    Snapshot,
    decode_from_part,
    decode_to_part,
)
from p2pdist.origin.connection import Disconnected
from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.transfer.faults import TransferFault, TransferFaultKind
from p2pdist.transfer.torrent_engine import PeerSnapshot, TransferSnapshot

SNAPSHOT = TransferSnapshot(
    torrent_hash=TorrentHash("a" * 64),
    phase="error",
    piece_count=70,
    have=1 << 69 | 1,
    lan_have=(1 << 70) - 1,
    bytes_from_peers=1,
    bytes_to_peers=2,
    bytes_wasted=3,
    progress=0.5,
    peers=(PeerSnapshot("10.0.0.1", 7_691, 4, 5),),
    fault=TransferFault(TransferFaultKind.DISK_FULL, "The disk is full."),
)


def test_a_snapshot_crosses_whole() -> None:
    message = decode_from_part(codec.encode(Snapshot.of(SNAPSHOT)))
    assert isinstance(message, Snapshot)
    assert message.unpacked() == SNAPSHOT


def test_bitfields_that_do_not_fit_are_refused() -> None:
    packed = msgpack.unpackb(codec.encode(Snapshot.of(SNAPSHOT)))
    for have in (b"\xff" * 8, b"\xff" * 9, b"\xff" * 10):
        message = decode_from_part(msgpack.packb({**packed, "have": have}))
        assert isinstance(message, Snapshot)
        with pytest.raises(DecodeError):
            message.unpacked()


def test_an_event_of_the_origin_crosses() -> None:
    sent = FromOrigin(Disconnected("gone"), connected=False, status="gone; next attempt within 2 s")
    assert decode_from_part(codec.encode(sent)) == sent


@pytest.mark.parametrize("decode", [decode_from_part, decode_to_part])
@given(
    data=st.binary(max_size=300)
    | st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(1 << 63), (1 << 64) - 1)
        | st.text(max_size=20)
        | st.binary(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["t", "call", "event"]), inner),
    ).map(msgpack.packb)
)
def test_any_bytes_are_a_message_or_refused(decode: Callable[[bytes], PartMessage], data: bytes) -> None:
    with contextlib.suppress(DecodeError):  # nothing else is raised
        assert isinstance(decode(data), PartMessage)


def test_the_cap_holds() -> None:
    with pytest.raises(DecodeError, match="cap"):
        decode_from_part(codec.encode(Done(1)) + bytes(MAX_MESSAGE_BYTES))
