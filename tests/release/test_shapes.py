"""What this server says to a PC of protocol 5, decoded by the code of that PC: release 0.2.0, which ignores nothing."""

import subprocess
import typing
from typing import Any

import msgpack

from p2pdist.shared.manifest.documents import ROLLOUTS_TARGET, RolloutEntry, Rollouts, encode_rollouts
from p2pdist.shared.manifest.publication_order import ORDER_TARGET, PublicationOrder, Publications, encode_order
from p2pdist.shared.manifest.recalls import RECALLS_TARGET, Recall, Recalls, encode_recalls
from p2pdist.shared.manifest.staged import STAGED_TARGET, StagedRollouts, encode_staged
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.channels import OnDataConnection, decode_from_server, decode_on_data_connection, encode_message
from p2pdist.shared.wire.codec import Message, Record
from p2pdist.shared.wire.custody import CustodyWanted
from p2pdist.shared.wire.data_messages import CodedPiece, Piece
from p2pdist.shared.wire.enrolment import (
    Certificates,
    EnrolReply,
    Problem,
    Token,
    decode_body,
    decode_token,
    encode_body,
    encode_token,
)
from p2pdist.shared.wire.inventory import InventoryWanted
from p2pdist.shared.wire.line_messages import LinkWatch, SiteLimit
from p2pdist.shared.wire.messages import (
    OLDEST_PROTOCOL,
    DataWanted,
    FromServer,
    Goodbye,
    Holders,
    News,
    OtherPc,
    Pace,
    RepositoryChanged,
    SharedIdentity,
    SitePeer,
    SitePeers,
    Unavailable,
    Welcome,
)
from p2pdist.shared.wire.parcel import Parcels
from p2pdist.shared.wire.signed_files import SignedWanted, TrustWanted
from p2pdist.shared.wire.spare_copies import SpareCopies
from p2pdist.shared.wire.trust_news import TrustNews, decode_news, encode_news
from p2pdist.shared.wire.witness import Consistency
from tests.helpers.previous_release import place_of_previous_release
from tests.unit.p2pdist.trust.test_catalogue_reading import by_rings, documents

HASH = "ab" * 32
OTHER = OtherPc(hostname="pc-2", address="10.0.0.2")
CERTIFICATES = Certificates(control_certificate="a", swarm_certificate="b", control_ca="c", swarm_ca="d")
SAID: list[Message] = [
    Welcome(
        server_name="hq", site="s", timestamp_version=1, packet_bytes=1_500, large_packets_lost=True, at=1_790_000_000.0
    ),
    SitePeers(anew=True, joined=[SitePeer(endpoint_id="a" * 26, address="::1", port=1_024)], left=["b" * 26]),
    Holders(torrent=HASH, endpoints=["a" * 26]),
    RepositoryChanged(timestamp_version=3),
    News(files=b"\x80"),
    Unavailable(torrent=HASH, reason="gone"),
    LinkWatch(interval_seconds=0.05),
    SiteLimit(
        rate=1, capacity=2, configured=False, state="ramp", reason="ramping up", seconds={"ramping up": 1.0},
        yield_seconds=0.5, learned_seconds=60.0,
    ),
    SharedIdentity(others=[OTHER]),
    Goodbye(reason="bye", cause="shared_identity", others=[OTHER]),
    Piece(torrent=HASH, piece=1, data=b"x"),
]  # fmt: skip
"""Each kind that PCs of protocol 5 know, without what only a feature brings."""
ONLY_WITH_A_FEATURE: set[type[Message]] = {
    Parcels, DataWanted, Pace, Consistency, CustodyWanted, TrustWanted, SignedWanted, SpareCopies, InventoryWanted,
    CodedPiece,
}  # fmt: skip
BODIES: list[Record] = [
    EnrolReply(endpoint_id="a", server_name="hq", origin_port=1, certificates=CERTIFICATES, tuf_root="{}", tags=("x",)),
    EnrolReply(endpoint_id="a", server_name="hq", origin_port=1, certificates=CERTIFICATES, tuf_root="{}"),
    CERTIFICATES,
    Problem(error="no"),
]
TOKEN = Token(address="hq.example", web_port=8_443, ca_pin=bytes(32), root_pin=bytes(32), secret=bytes(16))

SAYS_AGAIN = """
import sys
import msgpack
from p2pdist.shared.wire import codec, enrolment, messages, trust_news

said = msgpack.unpackb(sys.stdin.buffer.read())
data = lambda body: msgpack.unpackb(body)["t"] == "piece"
decoders = {True: messages.decode_on_data_connection, False: messages.decode_from_server}
again = {
    "messages": [messages.encode_message(decoders[data(body)](body)) for body in said["messages"]],
    "bodies": [
        enrolment.encode_body(enrolment.decode_body(body, getattr(enrolment, kind))) for kind, body in said["bodies"]
    ],
    "token": enrolment.encode_token(enrolment.decode_token(said["token"])),
    "news": trust_news.encode_news(trust_news.decode_news(said["news"])),
    "protocol": messages.PROTOCOL_VERSION,
}
sys.stdout.buffer.write(codec.encode(again))
"""


def said_again_by_the_previous_release(said: object) -> Any:
    """Return what it encodes of what it has decoded."""
    place = place_of_previous_release("127.0.0.1")
    result = subprocess.run(
        [*place.prefix, "-c", SAYS_AGAIN], input=codec.encode(said), capture_output=True, check=False, timeout=60
    )
    assert result.returncode == 0, result.stderr.decode()
    return msgpack.unpackb(result.stdout)


def test_all_that_the_server_says_without_a_feature_is_understood_by_the_previous_release() -> None:
    news = TrustNews(files={"metadata/timestamp.json": b"{}", "metadata/2.root.json": None})
    again = said_again_by_the_previous_release(
        {
            "messages": [encode_message(message) for message in SAID],
            "bodies": [[type(body).__name__, encode_body(body)] for body in BODIES],
            "token": encode_token(TOKEN),
            "news": encode_news(news),
        }
    )
    for message, body in zip(SAID, again["messages"], strict=True):
        decode = decode_on_data_connection if isinstance(message, Piece) else decode_from_server
        assert decode(body) == message
    assert [decode_body(body, type(sent)) for sent, body in zip(BODIES, again["bodies"], strict=True)] == BODIES
    assert decode_token(again["token"]) == TOKEN
    assert decode_news(again["news"]) == news
    assert again["protocol"] == OLDEST_PROTOCOL, "it was that release"


READS = """
import sys
import msgpack
from p2pdist.trust.catalogue import first_payload, read_catalogue

found = msgpack.unpackb(sys.stdin.buffer.read())
catalogue = read_catalogue(
    found.__contains__, lambda path, _: found[path], site=None, choose=first_payload, held=()
)
taken = [f"{patch.entry.patch_id}@{patch.entry.version}" for patch in catalogue.patches]
sys.stdout.buffer.write(msgpack.packb([taken, len(catalogue.refused)]))
"""


def test_the_previous_release_takes_what_is_offered_to_everyone_and_nothing_by_rings() -> None:
    """What is open to a ring alone it would install everywhere: so it must not even see it."""
    found = documents("a", "b")
    everyone = Rollouts(format=1, entries=[RolloutEntry("a", "1", 1)])
    staged = StagedRollouts(format=1, entries=(by_rings(found, "b", opened=1, sequence=2),))
    once = Publications(newest=1, lowest=1)
    found |= {
        ROLLOUTS_TARGET: encode_rollouts(everyone),
        ORDER_TARGET: encode_order(PublicationOrder(format=1, patches={"a": once, "b": once})),
        STAGED_TARGET: encode_staged(staged),
        RECALLS_TARGET: encode_recalls(Recalls(1, (Recall("a", 1, "", "crashes", 1),))),
    }
    place = place_of_previous_release("127.0.0.1")
    result = subprocess.run(
        [*place.prefix, "-c", READS], input=msgpack.packb(found), capture_output=True, check=False, timeout=60
    )
    assert result.returncode == 0, result.stderr.decode()
    assert msgpack.unpackb(result.stdout) == [["a@1"], 0]


def test_every_kind_is_said_or_needs_a_feature() -> None:
    kinds = {*typing.get_args(FromServer), *typing.get_args(OnDataConnection)}
    assert kinds == {type(message) for message in SAID} | ONLY_WITH_A_FEATURE
