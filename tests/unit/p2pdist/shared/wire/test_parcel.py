"""`p2pdist.shared.wire.parcel`: what of a parcel a PC lacks, and what is refused."""

import pytest
from msgspec.structs import replace

from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.wire.beginnings import beginning, beginnings
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.shared.wire.news_torrent import NewsTorrent
from p2pdist.shared.wire.parcel import MAX_PARCELLED, Parcel, PayloadSpan, parts_of

TORRENTS = [TorrentHash(f"{n:064x}"[::-1]) for n in range(1, MAX_PARCELLED + 1)]
LENGTHS = tuple(range(100, 108))
LACKED = {beginning(torrent): (torrent, length) for torrent, length in zip(TORRENTS, LENGTHS, strict=False)}
PARCEL = Parcel(NewsTorrent(sum(LENGTHS), bytes(32)), b"".join(map(beginning, TORRENTS[:8])), LENGTHS)


def test_each_payload_is_where_those_before_it_end() -> None:
    parts = parts_of(PARCEL, LACKED)
    assert parts[:2] == [PayloadSpan(TORRENTS[0], 0, 100), PayloadSpan(TORRENTS[1], 100, 101)]
    assert sum(part.length_bytes for part in parts) == sum(LENGTHS)


def test_what_is_not_lacked_is_passed_over() -> None:
    lacked = {name: LACKED[name] for name in [*LACKED][3:]}
    assert parts_of(PARCEL, lacked)[0] == PayloadSpan(TORRENTS[3], 303, 103)


@pytest.mark.parametrize(
    ("parcel", "lacked"),
    [
        pytest.param(replace(PARCEL, members=PARCEL.members[:-1]), LACKED, id="a part of a name"),
        pytest.param(replace(PARCEL, members=PARCEL.members[:-8]), LACKED, id="a length without a name"),
        pytest.param(replace(PARCEL, members=8 * PARCEL.members[:8], lengths=8 * (100,)), LACKED, id="one name twice"),
        pytest.param(replace(PARCEL, torrent=NewsTorrent(9, bytes(32))), LACKED, id="shorter than its payloads"),
        pytest.param(
            replace(PARCEL, torrent=NewsTorrent(sum(LENGTHS) + 1, bytes(32))), LACKED, id="longer than its payloads"
        ),
        pytest.param(
            replace(PARCEL, lengths=(99, 102, *LENGTHS[2:]), torrent=PARCEL.torrent),
            LACKED,
            id="not the signed lengths",
        ),
        pytest.param(PARCEL, dict(list(LACKED.items())[:3]), id="too few that are lacked"),
        pytest.param(
            replace(
                PARCEL,
                members=b"".join(map(beginning, TORRENTS[:10])),
                lengths=(*LENGTHS, 500, 500),
                torrent=NewsTorrent(sum(LENGTHS) + 1_000, bytes(32)),
            ),
            LACKED,
            id="more bytes that are not lacked",
        ),
        pytest.param(replace(PARCEL, members=b"", lengths=(), torrent=NewsTorrent(1, bytes(32))), LACKED, id="empty"),
    ],
)
def test_what_contradicts_itself_or_is_not_worth_its_bytes_is_refused(
    parcel: Parcel, lacked: dict[bytes, tuple[TorrentHash, int]]
) -> None:
    with pytest.raises(DecodeError):
        parts_of(parcel, lacked)


def test_a_list_of_names_is_cut_into_names() -> None:
    assert beginnings(PARCEL.members) == [beginning(torrent) for torrent in TORRENTS[:8]]
    with pytest.raises(DecodeError):
        beginnings(b"123456789")
