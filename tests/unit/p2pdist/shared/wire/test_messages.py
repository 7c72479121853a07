"""The origin protocol's messages: every kind round trips, every cap holds to the unit."""

from typing import Any

import msgspec
import pytest

from p2pdist.shared.wire import channels, codec, fields
from p2pdist.shared.wire.codec import DecodeError, Message
from p2pdist.shared.wire.data_messages import DataHello, Piece
from p2pdist.shared.wire.line_messages import LinkReport, LinkWatch, SiteLimit
from p2pdist.shared.wire.messages import (
    ControlHello,
    DataWanted,
    Diagnosis,
    DiagnosisAnswer,
    FactsChanged,
    Goodbye,
    Helping,
    Holdings,
    News,
    NewsWanted,
    OtherPc,
    Pace,
    PatchReport,
    PieceRejected,
    PieceStored,
    Report,
    RepositoryChanged,
    SharedIdentity,
    SitePeer,
    SitePeers,
    Unavailable,
    Want,
    Welcome,
)
from p2pdist.shared.wire.neighbours_seen import NeighbourSeen, NeighboursSeen
from p2pdist.shared.wire.news_torrent import NewsTorrent
from p2pdist.shared.wire.parcel import Parcel, Parcels, ParcelsWanted
from p2pdist.shared.wire.pc_findings import PcFindings

HASH = "ab" * 32
ASTRAL = "\N{GRINNING FACE}"  # four bytes
REPORT = PatchReport(
    patch_id="p", version="1", state="verified", progress=1.0, bytes_from_origin=1, bytes_from_peers=2,
    bytes_wasted=0, seconds=1.5, error="",
)  # fmt: skip
PEER = SitePeer(endpoint_id="a" * 26, address="::1", port=1_024)
HELLO = ControlHello(
    protocol=1, software="s", hostname="h", addresses=["127.0.0.1"], lan_port=1_024, on_mains=True, wired=True,
    uptime_seconds=0, instance="0" * 32, features=("news",),
)  # fmt: skip
OTHER = OtherPc(hostname="pc-2", address="10.0.0.2")
GOODBYE = Goodbye(reason="bye", cause="shared_identity", others=[OTHER])
PEERS = SitePeers(anew=False, joined=[], left=[])
WANT = Want(torrent=HASH, have=b"\x80", lan_have=b"", lan_stalled=False, can_fetch=True)
LINK = LinkReport(
    interval_seconds=0.05,
    business_bytes=1,
    flows=((7, 8), (9, 10)),
    harm_seconds=0.01,
    card_rate=1,
    from_neighbours_bytes=2,
    to_neighbours_bytes=3,
)
LIMIT = SiteLimit(
    rate=1, capacity=2, configured=False, state="ramp", reason="ramping up", seconds={"ramping up": 1.0},
    yield_seconds=0.5, learned_seconds=60.0,
)  # fmt: skip
ANSWER = DiagnosisAnswer(label="openssl", applies=True, needed=False, reason="openssl 3.0.19 ≥ 3.0.17")
DIAGNOSIS = Diagnosis(template="december", answers=(ANSWER,))
CHANNELS: list[tuple[Any, list[Message]]] = [
    (channels.decode_hello, [HELLO, DataHello(protocol=1, instance="0" * 32, large_packets_lost=False)]),
    (
        channels.decode_from_endpoint,
        [
            WANT,
            Holdings(torrents=bytes(16)),
            ParcelsWanted(torrents=bytes(16)),
            Helping(how="less"),
            PieceStored(torrent=HASH, piece=0),
            PieceRejected(torrent=HASH, piece=fields.MAX_PIECES - 1),
            Report(patches=[REPORT], refuses="", serial=fields.MAX_SERIAL, connection=1),
            LINK,
            DIAGNOSIS,
            FactsChanged(values={"os.family": "debian", "ram_mb": 16_000}),
            PcFindings(codes=("clock", "unheard")),
            NeighboursSeen(("52:54:00:12:34:56",), (NeighbourSeen("52:54:00:12:34:57", "fe80::1"),)),
            NewsWanted(root=1, snapshot=fields.MAX_METADATA_VERSION),
            GOODBYE,
        ],
    ),
    (
        channels.decode_from_server,
        [
            Welcome(
                server_name="hq",
                site="s",
                timestamp_version=0,
                packet_bytes=1_500,
                large_packets_lost=False,
                at=1_790_000_000.0,
                features=("news",),
                connection=1,
                recorded=2,
                pace=Pace(report_seconds=4.0),
            ),
            SitePeers(anew=True, joined=[PEER], left=["b" * 26]),
            RepositoryChanged(timestamp_version=3, timestamp=b"{}", root_version=1),
            Pace(report_seconds=fields.MAX_PACE_SECONDS),
            News(files=b"\x80"),
            Parcels(parcels=[Parcel(NewsTorrent(3, bytes(32)), bytes(16), (1, 2))], more=True),
            Unavailable(torrent=HASH, reason="gone"),
            DataWanted(),
            LinkWatch(interval_seconds=0.05),
            LIMIT,
            SharedIdentity(others=[OTHER]),
            GOODBYE,
        ],
    ),
    (channels.decode_on_data_connection, [Piece(torrent=HASH, piece=1, data=b"x"), GOODBYE]),
]
NULLABLE = {"pace", "harm_seconds", "card_rate", "interval_seconds", "capacity", "learned_seconds"}
ADDED = {
    "features",
    "pace",
    "serial",
    "connection",
    "recorded",
    "timestamp",
    "root_version",
    "report_seconds",
    "more",
}
"""Since the protocol began; they have a default."""
ALL = [(decode, message) for decode, group in CHANNELS for message in group]


@pytest.mark.parametrize(("decode", "message"), ALL)
def test_every_message_round_trips(decode: Any, message: Message) -> None:
    assert decode(channels.encode_message(message)) == message


@pytest.mark.parametrize(("decode", "message"), ALL)
def test_every_prefix_of_a_message_is_refused(decode: Any, message: Message) -> None:
    encoded = channels.encode_message(message)
    for length in range(len(encoded)):
        with pytest.raises(DecodeError):
            decode(encoded[:length])


@pytest.mark.parametrize(("decode", "message"), ALL)
def test_a_missing_or_wrongly_typed_field_is_refused_and_an_unknown_one_ignored(decode: Any, message: Message) -> None:
    raw = msgspec.to_builtins(message, builtin_types=(bytes,))
    for name in raw:
        wrongs = [raw | {name: [[{}]]}]
        if name not in NULLABLE:
            wrongs.append(raw | {name: None})
        if name not in ADDED:
            wrongs.append({k: v for k, v in raw.items() if k != name})
        for wrong in wrongs:
            with pytest.raises(DecodeError):
                decode(codec.encode(wrong))
    assert decode(codec.encode(raw | {"surprise": 1})) == message


@pytest.mark.parametrize(("decode", "group"), CHANNELS)
def test_a_message_of_another_channel_is_refused(decode: Any, group: list[Message]) -> None:
    for _, message in ALL:
        if message not in group:
            with pytest.raises(DecodeError):
                decode(channels.encode_message(message))


@pytest.mark.parametrize(
    ("message", "part"),
    [
        (Report(patches=[REPORT], refuses=""), "patches"),
        (DIAGNOSIS, "answers"),
        (SitePeers(anew=True, joined=[PEER], left=[]), "joined"),
        (GOODBYE, "others"),
    ],
)
def test_an_unknown_field_within_a_message_is_ignored(message: Message, part: str) -> None:
    raw = msgspec.to_builtins(message, builtin_types=(bytes,))
    newer = raw | {part: [raw[part][0] | {"surprise": 1}]}
    assert codec.convert(newer, type(message)) == message


def answers(count: int, **changes: object) -> dict[str, Any]:
    return {"answers": [msgspec.to_builtins(ANSWER) | changes] * count}


def joined(**changes: Any) -> dict[str, Any]:
    return {"joined": [msgspec.to_builtins(PEER) | changes]}


BEYOND: list[tuple[Any, Message, dict[str, Any], dict[str, Any]]] = [
    (channels.decode_hello, HELLO, {"addresses": ["::1"] * 16}, {"addresses": ["::1"] * 17}),
    (channels.decode_hello, HELLO, {"software": "s" * 400}, {"software": "s" * 401}),
    (channels.decode_hello, HELLO, {"lan_port": 65_535}, {"lan_port": 65_536}),
    (channels.decode_hello, HELLO, {"lan_port": 1_024}, {"lan_port": 1_023}),
    (channels.decode_hello, HELLO, {"features": ["f" * 32] * 64}, {"features": ["f"] * 65}),
    (channels.decode_from_server, Pace(), {"report_seconds": 3_600.0}, {"report_seconds": 3_600.1}),
    (channels.decode_from_server, Pace(), {"report_seconds": 1.0}, {"report_seconds": 0.9}),
    (
        channels.decode_from_server,
        RepositoryChanged(timestamp_version=1),
        {"timestamp": bytes(fields.MAX_TOLD_TIMESTAMP_BYTES)},
        {"timestamp": bytes(fields.MAX_TOLD_TIMESTAMP_BYTES + 1)},
    ),
    (channels.decode_hello, HELLO, {"features": ["f" * 32]}, {"features": ["f" * 33]}),
    (channels.decode_hello, HELLO, {"features": ["a_1"]}, {"features": ["A"]}),
    (channels.decode_hello, HELLO, {"uptime_seconds": 1 << 40}, {"uptime_seconds": (1 << 40) + 1}),
    (channels.decode_hello, HELLO, {"addresses": ["a" * 45]}, {"addresses": ["a" * 46]}),
    (channels.decode_from_endpoint, WANT, {"have": bytes(8_192)}, {"have": bytes(8_193)}),
    (channels.decode_from_endpoint, WANT, {"torrent": HASH}, {"torrent": HASH + "\n"}),
    (channels.decode_from_endpoint, WANT, {"torrent": HASH}, {"torrent": HASH.upper()}),
    (
        channels.decode_from_endpoint,
        PieceStored(torrent=HASH, piece=0),
        {"piece": fields.MAX_PIECES - 1},
        {"piece": fields.MAX_PIECES},
    ),
    (channels.decode_from_endpoint, PieceStored(torrent=HASH, piece=0), {"piece": 0}, {"piece": -1}),
    (channels.decode_from_endpoint, DIAGNOSIS, answers(50), answers(51)),
    (channels.decode_from_endpoint, DIAGNOSIS, answers(1), answers(0)),
    (channels.decode_from_endpoint, DIAGNOSIS, answers(1, label="l" * 80), answers(1, label="l" * 81)),
    (channels.decode_from_endpoint, DIAGNOSIS, answers(1, needed=None), answers(1, needed=0)),
    (channels.decode_from_endpoint, DIAGNOSIS, answers(1, reason="r" * 400), answers(1, reason="r" * 401)),
    (channels.decode_from_endpoint, Report(patches=[], refuses=""), {"refuses": "r" * 400}, {"refuses": "r" * 401}),
    (channels.decode_from_endpoint, LINK, {"interval_seconds": 60.0}, {"interval_seconds": 60.1}),
    (channels.decode_from_endpoint, LINK, {"interval_seconds": 1e-9}, {"interval_seconds": 0.0}),
    (channels.decode_from_endpoint, LINK, {"business_bytes": 1 << 50}, {"business_bytes": (1 << 50) + 1}),
    (channels.decode_from_endpoint, LINK, {"flows": [[0, 0]] * 16}, {"flows": [[0, 0]] * 17}),
    (channels.decode_from_endpoint, LINK, {"flows": [[(1 << 62) - 1, 1 << 50]]}, {"flows": [[1 << 62, 0]]}),
    (channels.decode_from_endpoint, LINK, {"flows": []}, {"flows": [[0, 0, 0]]}),
    (channels.decode_from_endpoint, LINK, {"harm_seconds": 0.0}, {"harm_seconds": -0.001}),
    (channels.decode_from_endpoint, LINK, {"harm_seconds": 60.0}, {"harm_seconds": float("nan")}),
    (
        channels.decode_from_server,
        LIMIT,
        {"seconds": {str(n): 1.0 for n in range(32)}},
        {"seconds": {str(n): 1.0 for n in range(33)}},
    ),
    (
        channels.decode_from_endpoint,
        Report(patches=[], refuses=""),
        {"patches": [msgspec.to_builtins(REPORT)] * 40},
        {"patches": [msgspec.to_builtins(REPORT)] * 41},
    ),
    (
        channels.decode_from_endpoint,
        Report(patches=[], refuses=""),
        {"patches": [msgspec.to_builtins(REPORT) | {"progress": 0.0}]},
        {"patches": [msgspec.to_builtins(REPORT) | {"progress": 1.01}]},
    ),
    (
        channels.decode_from_endpoint,
        Report(patches=[], refuses=""),
        {"patches": [msgspec.to_builtins(REPORT)]},
        {"patches": [msgspec.to_builtins(REPORT) | {"progress": float("nan")}]},
    ),
    (
        channels.decode_from_server,
        PEERS,
        {"joined": [msgspec.to_builtins(PEER)] * 40},
        {"joined": [msgspec.to_builtins(PEER)] * 41},
    ),
    (channels.decode_from_server, PEERS, {"left": ["a" * 26] * 40}, {"left": ["a" * 26] * 41}),
    (channels.decode_from_server, PEERS, {"left": ["a" * 26]}, {"left": ["a" * 27]}),
    (channels.decode_from_server, PEERS, joined(port=1_024), joined(port=1_023)),
    (channels.decode_from_server, PEERS, joined(port=65_535), joined(port=65_536)),
    (channels.decode_from_server, Unavailable(torrent=HASH, reason=""), {"reason": "r" * 400}, {"reason": "r" * 401}),
    (
        channels.decode_on_data_connection,
        Piece(torrent=HASH, piece=1, data=b"x"),
        {"data": bytes(fields.MAX_PIECE_BYTES)},
        {"data": bytes(fields.MAX_PIECE_BYTES + 1)},
    ),
    (channels.decode_on_data_connection, Piece(torrent=HASH, piece=1, data=b"x"), {"data": b"x"}, {"data": b""}),
]


@pytest.mark.parametrize(("decode", "message", "at", "over"), BEYOND)
def test_caps_hold_at_the_limit_and_one_over(
    decode: Any, message: Message, at: dict[str, Any], over: dict[str, Any]
) -> None:
    raw = msgspec.to_builtins(message, builtin_types=(bytes,))
    decode(codec.encode(raw | at))
    with pytest.raises(DecodeError):
        decode(codec.encode(raw | over))


def test_the_largest_messages_fit_into_their_channels() -> None:
    longest = msgspec.structs.replace(
        REPORT,
        patch_id=ASTRAL * 64,
        version=ASTRAL * 64,
        error=ASTRAL * 400,
        install="not_applicable",
        install_reason=ASTRAL * 400,
        install_output=ASTRAL * 400,
        bytes_from_origin=1 << 50,
        seconds=1e10,
    )
    answer = DiagnosisAnswer(label=ASTRAL * 80, applies=False, needed=None, reason=ASTRAL * 400)
    diagnosis = Diagnosis(template=ASTRAL * 64, answers=(answer,) * fields.MAX_TEMPLATE_ITEMS)
    peer = SitePeer(endpoint_id="a" * 26, address="a" * 45, port=65_535)
    piece = Piece(torrent=HASH, piece=fields.MAX_PIECES - 1, data=bytes(fields.MAX_PIECE_BYTES))
    control = [
        Report(patches=[longest] * fields.MAX_PATCHES_PER_REPORT, refuses=ASTRAL * 400),
        SitePeers(anew=False, joined=[peer] * 40, left=["a" * 26] * 40),
        diagnosis,
    ]
    assert all(len(channels.encode_message(m)) <= fields.MAX_CONTROL_FRAME_BYTES for m in control)
    assert len(channels.encode_message(piece)) <= fields.MAX_DATA_FRAME_BYTES
