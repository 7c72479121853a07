"""The origin port against everything that can go wrong, over real TLS on loopback."""

import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgpack
import pytest
import trio
from cryptography.x509.oid import ExtendedKeyUsageOID
from pytest_trio import trio_fixture
from structlog.testing import capture_logs

from bandwidth.core.states import State
from bandwidth.profiles.parse import parse_profile
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import SiteName
from p2pdist.shared.manifest.template import MAX_TEMPLATES
from p2pdist.shared.wire.frames import encode_frame
from p2pdist.shared.wire.messages import (
    MAX_CONTROL_FRAME_BYTES,
    PROTOCOL_VERSION,
    DataHello,
    Diagnosis,
    DiagnosisAnswer,
    LinkReport,
    LinkWatch,
    Message,
    PatchReport,
    Piece,
    PieceRejected,
    PieceStored,
    Report,
    RepositoryChanged,
    SiteLimit,
    SitePeers,
    Unavailable,
    Want,
    Welcome,
    encode_message,
)
from p2pdist.shared.wire.pings import ping_frame
from seed_server.line.pacing import pacing_rate
from seed_server.origin import connection as origin_connection
from seed_server.origin import control as origin_control
from seed_server.origin import sender, steering
from seed_server.origin import state as origin_fleet
from seed_server.ports import gate
from seed_server.store.content_store import DamagedPayloadError
from seed_server.store.database import ServedPayload
from tests.helpers.origin_harness import (
    SERVER_ADDRESS,
    Closed,
    Connection,
    Endpoint,
    Lab,
    Ping,
    control_ca_leaf,
    hello,
    running_lab,
    site_map,
    want,
)
from tests.helpers.pki import TestCA, client_context

NAMES = tuple[str, ...]


@pytest.fixture(autouse=True)
def quick_reload(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origin_fleet, "RELOAD_SECONDS", 0.01)


@trio_fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with running_lab(tmp_path) as running:
        yield running


def frame(message: Message) -> bytes:
    return encode_frame(encode_message(message), max_bytes=1 << 24)


def packed(value: object) -> bytes:
    return encode_frame(msgpack.packb(value), max_bytes=1 << 24)


async def fetch(lab: Lab, endpoint: Endpoint, patch: ServedPayload, count: int) -> list[int]:
    """Receive, check and confirm ``count`` pieces."""
    got = []
    for _ in range(count):
        piece = await endpoint.data.expect(Piece)
        assert piece.data == lab.piece(patch, piece.piece)
        endpoint.have |= 1 << piece.piece
        await endpoint.control.send(PieceStored(torrent=piece.torrent, piece=piece.piece))
        got.append(int(piece.piece))
    return got


async def keep_fetching(endpoint: Endpoint) -> None:
    """Confirm every piece and answer every ping, until a connection ends."""

    async def answer() -> None:
        while True:
            await endpoint.control.expect(Welcome)

    async def confirm() -> None:
        while True:
            piece = await endpoint.data.expect(Piece)
            await endpoint.control.send(PieceStored(torrent=piece.torrent, piece=piece.piece))

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer)
            nursery.start_soon(confirm)
    except* (Closed, trio.ClosedResourceError, trio.BrokenResourceError):
        pass


class TestServing:
    async def test_every_piece_once_for_the_site_and_the_bytes_are_counted(self, lab: Lab) -> None:
        patch = await lab.publish(5)
        first, second = await lab.endpoint(), await lab.endpoint()
        await first.want(patch)
        assert await fetch(lab, first, patch, 5) == [0, 1, 2, 3, 4]
        await second.want(patch)
        with trio.move_on_after(0.2) as nothing_comes:
            await second.data.receive()
        assert nothing_comes.cancelled_caught
        await lab.server._records.flush()
        assert lab.database.wan_bytes() == {(first.welcome.site, patch.torrent_hash): patch.length_bytes}

    async def test_patch_is_served_even_if_its_notice_comes_later(self, lab: Lab) -> None:
        endpoint = await lab.endpoint()
        patch = await lab.publish(1, announce=False)
        await endpoint.want(patch)
        assert await fetch(lab, endpoint, patch, 1) == [0]

    async def test_publication_is_announced_at_once(self, lab: Lab) -> None:
        endpoint = await lab.endpoint()
        await lab.server.repository_changed(7)
        assert (await endpoint.control.expect(RepositoryChanged)).timestamp_version == 7
        assert (await lab.endpoint()).welcome.timestamp_version == 7

    async def test_neighbours_learn_of_each_other_and_of_departures(self, lab: Lab) -> None:
        first = await lab.endpoint()
        while (await first.control.expect(SitePeers)).peers:
            pass
        second = await lab.endpoint()
        peers: list = []
        while not peers:
            peers = (await first.control.expect(SitePeers)).peers
        assert [(p.endpoint_id, p.address, p.port) for p in peers] == [
            (second.identity.endpoint, second.identity.local_address, 7691)
        ]
        await second.aclose()
        while peers:
            peers = (await first.control.expect(SitePeers)).peers

    async def test_sites_do_not_learn_of_each_other(self, tmp_path: Path) -> None:
        sites = '[[site]]\nname = "a"\nnetworks = ["127.0.8.2/32"]\n[[site]]\nname = "b"\nnetworks = ["127.0.8.3/32"]\n'
        async with running_lab(tmp_path, sites=sites) as lab:
            a, b = await lab.endpoint(), await lab.endpoint()
            assert (a.welcome.site, b.welcome.site) == ("a", "b")
            assert (await a.control.expect(SitePeers)).peers == []
            assert (await b.control.expect(SitePeers)).peers == []
            patch = await lab.publish(2)
            for endpoint in (a, b):
                await endpoint.want(patch)
                assert await fetch(lab, endpoint, patch, 2) == [0, 1]

    async def test_reports_and_presence_reach_the_database(self, lab: Lab) -> None:
        patch = await lab.publish(1)
        endpoint = await lab.endpoint()
        report = PatchReport(
            patch_id=patch.patch_id,
            version=patch.version,
            state="verified",
            progress=1.0,
            bytes_from_origin=5,
            bytes_from_peers=6,
            bytes_wasted=0,
            seconds=2.0,
            error="",
            install="waiting",
            install_reason="window at 22:00",
        )
        await endpoint.control.send(Report(patches=[report]))
        lab.server.replace_templates({"december"})
        answer = DiagnosisAnswer(label="old openssl", applies=True, needed=True, reason="openssl 3.0.11 < 3.0.17")
        await endpoint.control.send(Diagnosis(template="december", answers=(answer,)))
        for number in range(2 * MAX_TEMPLATES):  # a flood of what nobody has asked is not even kept
            await endpoint.control.send(Diagnosis(template=f"made-up-{number}", answers=(answer,)))
        # the answer to a Want shows that what came before it has been taken
        await endpoint.control.send(unknown_want())
        await endpoint.control.expect(Unavailable)
        await lab.server._records.flush()
        assert [(r.endpoint_id, r.state, r.install, r.install_reason) for r in lab.database.reports()] == [
            (endpoint.identity.endpoint, "verified", "waiting", "window at 22:00")
        ]
        assert [(r.endpoint_id, r.label, r.needed, r.reason) for r in lab.database.diagnoses("december")] == [
            (endpoint.identity.endpoint, "old openssl", True, "openssl 3.0.11 < 3.0.17")
        ]
        assert lab.database.diagnoses("made-up-0") == []
        row = lab.database.endpoint(endpoint.identity.endpoint)
        assert row is not None
        assert (row.connected, row.site, row.address) == (True, endpoint.welcome.site, endpoint.identity.local_address)

    async def test_unknown_torrent_is_unavailable_and_nothing_else_suffers(self, lab: Lab) -> None:
        endpoint = await lab.endpoint()
        await endpoint.control.send(unknown_want())
        assert "not published" in (await endpoint.control.expect(Unavailable)).reason
        await lab.still_serves()


def unknown_want(torrent: str = "00" * 32) -> Want:
    return Want(torrent=torrent, have=b"\0", lan_have=b"\0", lan_stalled=False, can_fetch=True)


BAD_FRAMES = {
    "corrupted": encode_frame(b"\xc1\xff\x00garbage", max_bytes=1_000),
    "empty": b"\0\0\0\0",
    "oversized": (MAX_CONTROL_FRAME_BYTES + 1).to_bytes(4, "big"),
    "as long as can be said": b"\xff\xff\xff\xff",
    "unknown": packed({"t": "launch", "x": 1}),
    "no tag": packed({"nonce": 1}),
    "no map": packed([1, 2, 3, 4]),
    "wrong type": packed({"t": "goodbye", "reason": 1}),
    "unknown field": packed({"t": "goodbye", "reason": "bye", "more": 1}),
    "missing field": packed({"t": "goodbye"}),
    "over the cap of a field": packed({"t": "stored", "torrent": "ab" * 32, "piece": 1 << 40}),
    "no hash": packed({"t": "stored", "torrent": "../../etc/passwd", "piece": 1}),
    "deep nesting": encode_frame(b"\x91" * 10_000 + b"\xc0", max_bytes=1 << 20),
    "bytes after the end": encode_frame(encode_message(Report(patches=[])) + b"\0", max_bytes=1_000),
    "of the other side": frame(RepositoryChanged(timestamp_version=1)),
    "plain HTTP": b"GET / HTTP/1.1\r\n\r\n",
}


def ended_inside_a_frame(logged: list) -> int:
    return sum(
        entry["event"] == "connection ended" and "stream ended inside a frame" in entry["reason"] for entry in logged
    )


class TestBadFrames:
    @pytest.mark.parametrize("name", BAD_FRAMES)
    async def test_after_the_hello(self, lab: Lab, name: str) -> None:
        control, _ = await lab.control(lab.identity())
        await control.send_raw(BAD_FRAMES[name])
        assert "malformed" in await control.closed()
        await lab.still_serves()

    @pytest.mark.parametrize("name", BAD_FRAMES)
    async def test_instead_of_the_hello(self, lab: Lab, name: str) -> None:
        connection = await lab.connect(lab.own_context(lab.identity()))
        await connection.send_raw(BAD_FRAMES[name])
        reason = await connection.closed()
        assert "malformed" in reason or "no hello" in reason
        await lab.still_serves()

    async def test_truncated_at_every_byte(self, lab: Lab) -> None:
        whole = frame(Report(patches=[]))
        with capture_logs() as logged:
            for length in range(1, len(whole)):
                control, _ = await lab.control(lab.identity())
                await control.send_raw(whole[:length])
                await control.send_eof()
                await control.closed()
        assert ended_inside_a_frame(logged) == len(whole) - 1
        await lab.still_serves()

    async def test_hello_truncated_at_every_byte(self, lab: Lab) -> None:
        whole = frame(DataHello(protocol=PROTOCOL_VERSION))
        with capture_logs() as logged:
            for length in range(1, len(whole)):
                connection = await lab.connect(lab.own_context(lab.identity()))
                await connection.send_raw(whole[:length])
                await connection.send_eof()
                await connection.closed()
        assert ended_inside_a_frame(logged) == len(whole) - 1
        await lab.still_serves()

    @pytest.mark.parametrize("message", [hello("127.0.8.9"), DataHello(protocol=PROTOCOL_VERSION)])
    async def test_second_hello(self, lab: Lab, message: Message) -> None:
        control, _ = await lab.control(lab.identity())
        await control.send(message)
        assert "malformed" in await control.closed()

    async def test_other_message_before_the_hello(self, lab: Lab) -> None:
        connection = await lab.connect(lab.own_context(lab.identity()))
        await connection.send(unknown_want())
        assert "no hello" in await connection.closed()

    async def test_data_connection_before_the_control_connection(self, lab: Lab) -> None:
        data = await lab.data(lab.identity())
        assert "control connection" in await data.closed()

    async def test_anything_after_the_hello_of_a_data_connection(self, lab: Lab) -> None:
        endpoint = await lab.endpoint()
        await endpoint.data.send(Report(patches=[]))
        assert "nothing follows" in await endpoint.data.closed()
        await lab.still_serves()

    @pytest.mark.parametrize("connection", ["control", "data"])
    async def test_other_protocol_version(self, lab: Lab, connection: str) -> None:
        identity = lab.identity()
        raw = await lab.connect(lab.own_context(identity))
        protocol = PROTOCOL_VERSION + 1
        await raw.send(
            hello("127.0.8.9", protocol=protocol) if connection == "control" else DataHello(protocol=protocol)
        )
        assert "protocol" in await raw.closed()

    @pytest.mark.parametrize("address", ["pc17", "127.0.8.999", "::g"])
    async def test_hello_with_what_is_no_address(self, lab: Lab, address: str) -> None:
        raw = await lab.connect(lab.own_context(lab.identity()))
        await raw.send(hello(address))
        assert "not an IP address" in await raw.closed()

    @pytest.mark.parametrize("bits", [b"", b"\0\0", b"\xff"])
    async def test_bitfield_that_does_not_fit_the_torrent(self, lab: Lab, bits: bytes) -> None:
        patch = await lab.publish(5)
        endpoint = await lab.endpoint()
        torrent = patch.torrent_hash
        await endpoint.control.send(Want(torrent=torrent, have=bits, lan_have=b"\0", lan_stalled=False, can_fetch=True))
        assert "bitfield" in await endpoint.control.closed()
        await lab.still_serves()

    async def test_answer_to_a_ping_that_was_never_sent(self, lab: Lab) -> None:
        control, _ = await lab.control(lab.identity())
        await control.send_raw(ping_frame(99))
        assert "never sent" in await control.closed()

    async def test_news_of_pieces_that_do_not_exist_are_ignored(self, lab: Lab) -> None:
        patch = await lab.publish(2)
        endpoint = await lab.endpoint()
        await endpoint.control.send(PieceStored(torrent=patch.torrent_hash, piece=60_000))
        await endpoint.control.send(PieceRejected(torrent=patch.torrent_hash, piece=60_000))
        await endpoint.want(patch)
        assert await fetch(lab, endpoint, patch, 2) == [0, 1]

    async def test_flood(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(origin_control, "MAX_FRAMES_PER_SECOND", 50)
        control, _ = await lab.control(lab.identity())
        await control.send_raw(frame(Report(patches=[])) * 200)
        assert "more than 50 messages" in await control.closed()
        await lab.still_serves()

    async def test_questions_without_end(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(origin_control, "MAX_UNKNOWN_TORRENTS", 50)
        control, _ = await lab.control(lab.identity())
        await control.send_raw(b"".join(frame(unknown_want(f"{n:064x}")) for n in range(60)))
        assert "too many torrents" in await control.closed()


class TestWhoMayConnect:
    async def refused(self, lab: Lab, connection: Connection) -> None:
        """Assert that the server sends not one application byte, whatever it is asked for."""
        patch = await lab.publish(2)
        try:
            await connection.send(hello("127.0.8.9"))
            await connection.send(want(patch))
        except trio.BrokenResourceError:
            pass
        assert await connection.closed() == ""
        assert connection.received_bytes == 0
        await lab.still_serves()

    async def test_not_without_a_certificate(self, lab: Lab) -> None:
        await self.refused(lab, await lab.connect(lab.context(None)))

    async def test_not_with_a_certificate_of_a_foreign_ca(self, lab: Lab) -> None:
        foreign = client_context(TestCA(), TestCA().issue(lab.identity().endpoint))
        foreign.load_verify_locations(cadata=lab.authority.control_ca_pem)
        await self.refused(lab, await lab.connect(foreign))

    async def test_not_with_a_foreign_ca_of_the_same_name(self, lab: Lab) -> None:
        subject = lab.authority._control.certificate.subject.rfc4514_string().removeprefix("CN=")
        foreign = client_context(TestCA(), TestCA(subject).issue(lab.identity().endpoint))
        foreign.load_verify_locations(cadata=lab.authority.control_ca_pem)
        await self.refused(lab, await lab.connect(foreign))

    async def test_not_with_the_swarm_certificate(self, lab: Lab) -> None:
        identity = lab.identity()
        context = lab.context(identity.certificates.swarm_certificate, identity.key_pem)
        await self.refused(lab, await lab.connect(context))

    @pytest.mark.parametrize("days", [-2, 2])
    async def test_not_with_an_expired_or_future_certificate(self, lab: Lab, days: int) -> None:
        identity = lab.identity(now=time.time() + days * 86_400)
        await self.refused(lab, await lab.connect(lab.own_context(identity)))

    @pytest.mark.parametrize("names", [("*",), ("a" * 25,), ("a" * 26, "b" * 26), ("A" * 26,)])
    async def test_not_with_a_name_that_is_no_endpoint(self, lab: Lab, names: NAMES) -> None:
        await self.refused(lab, await lab.connect(control_ca_leaf(lab, names)))

    async def test_not_with_a_servers_certificate(self, lab: Lab) -> None:
        context = control_ca_leaf(lab, [lab.identity().endpoint], usage=ExtendedKeyUsageOID.SERVER_AUTH)
        await self.refused(lab, await lab.connect(context))

    async def test_not_when_it_is_not_in_the_database(self, lab: Lab) -> None:
        raw = await lab.connect(lab.own_context(lab.identity(enrolled=False)))
        await raw.send(hello("127.0.8.9"))
        assert "not enrolled" in await raw.closed()

    async def test_not_when_denied(self, lab: Lab) -> None:
        identity = lab.identity()
        lab.database.set_denied(identity.endpoint, True)
        raw = await lab.connect(lab.own_context(identity))
        await raw.send(hello("127.0.8.9"))
        assert "denied" in await raw.closed()

    async def test_no_longer_when_denied_while_connected(self, lab: Lab) -> None:
        patch = await lab.publish(3)
        bad, good = await lab.endpoint(), await lab.endpoint()
        await bad.want(patch)
        await bad.data.expect(Piece)
        lab.database.set_denied(bad.identity.endpoint, True)
        lab.server.drop_denied({bad.identity.endpoint})
        assert "denied" in await bad.control.closed()
        await bad.data.closed()
        await good.want(patch)
        assert await fetch(lab, good, patch, 3) == [0, 1, 2]

    async def test_again_when_allowed_again(self, lab: Lab) -> None:
        identity = lab.identity()
        lab.server.drop_denied({identity.endpoint})
        lab.server.drop_denied(set())
        await lab.endpoint(identity)

    async def test_no_longer_when_the_certificate_expires(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(origin_control, "PING_SECONDS", 0.02)
        endpoint = await lab.endpoint()
        session, _ = lab.server._fleet._sessions[endpoint.identity.endpoint]
        session.connection.certificate_expires_at = time.time()
        assert "expired" in await endpoint.control.closed()

    async def test_not_beyond_the_caps(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gate, "MAX_PER_ADDRESS", 2)
        identity = lab.identity()
        await lab.endpoint(identity)
        third = await lab.connect(lab.own_context(identity), identity.local_address)
        await third.send(hello("127.0.8.9"))
        assert await third.closed() == ""
        await lab.still_serves()


class TestSlowAndSilent:
    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(origin_connection, "HANDSHAKE_SECONDS", 0.2)
        monkeypatch.setattr(origin_connection, "FIRST_FRAME_SECONDS", 0.2)

    async def test_no_handshake(self, lab: Lab) -> None:
        async with await trio.open_tcp_stream(SERVER_ADDRESS, lab.port) as tcp:
            assert await tcp.receive_some() == b""
        await lab.still_serves()

    async def test_half_a_handshake(self, lab: Lab) -> None:
        async with await trio.open_tcp_stream(SERVER_ADDRESS, lab.port) as tcp:
            await tcp.send_all(b"\x16\x03\x01\x02\x00\x01\x00")
            assert await tcp.receive_some() == b""
        await lab.still_serves()

    @pytest.mark.parametrize("sent", [0, 1, 5])
    async def test_no_whole_hello(self, lab: Lab, sent: int) -> None:
        connection = await lab.connect(lab.own_context(lab.identity()))
        await connection.send_raw(frame(hello("127.0.8.9"))[:sent])
        assert "no hello within" in await connection.closed()
        await lab.still_serves()

    async def test_hello_byte_by_byte_does_not_extend_the_deadline(self, lab: Lab) -> None:
        connection = await lab.connect(lab.own_context(lab.identity()))
        async with trio.open_nursery() as nursery:

            async def trickle() -> None:
                for byte in frame(hello("127.0.8.9")):
                    await connection.send_raw(bytes([byte]))
                    await trio.sleep(0.05)

            nursery.start_soon(trickle)
            assert "no hello within" in await connection.closed()
            nursery.cancel_scope.cancel()

    async def test_pings_that_are_not_answered(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(origin_control, "PING_SECONDS", 0.02)
        endpoint = await lab.endpoint()
        assert "no answer" in await endpoint.control.closed()

    async def test_pings_that_are_answered(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(origin_control, "PING_SECONDS", 0.02)
        monkeypatch.setattr(origin_control, "MAX_MISSED_PINGS", 10)
        endpoint = await lab.endpoint()
        for _ in range(20):
            ping = await endpoint.control.expect(Ping)
            await endpoint.control.echo(ping)


ONE_FETCHER = '[[site]]\nname = "branch"\nnetworks = ["127.0.8.0/24"]\nline_mbit = 800\nfetchers = 1\n'


class TestLeases:
    @pytest.mark.parametrize("lost", ["control", "data"])
    async def test_lost_connection_voids_them(self, lab: Lab, lost: str) -> None:
        patch = await lab.publish(4)
        first, second = await lab.endpoint(), await lab.endpoint()
        await first.want(patch)
        await first.data.expect(Piece)  # and never confirmed
        await second.want(patch)
        await (first.control if lost == "control" else first.data).aclose()
        assert await fetch(lab, second, patch, 4) == [0, 1, 2, 3]

    async def test_reader_that_stops_loses_lease_connection_and_rank(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with running_lab(tmp_path, lease_seconds=0.5, sites=ONE_FETCHER) as lab:
            patch = await lab.publish(200)  # 13 MB: more than the kernel's buffers take
            stuck, good = await lab.endpoint(uptime_seconds=9), await lab.endpoint(uptime_seconds=1)
            await stuck.want(patch)
            await stuck.data.expect(Piece)
            await good.want(patch)
            got = set(await fetch(lab, good, patch, 1))
            while len(got) < 200:
                got |= set(await fetch(lab, good, patch, 1))
            await stuck.data.closed()

    async def test_piece_that_is_never_confirmed_goes_to_another(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path, lease_seconds=0.3) as lab:
            patch = await lab.publish(2)
            silent, good = await lab.endpoint(uptime_seconds=9), await lab.endpoint(uptime_seconds=1)
            await silent.want(patch)
            for _ in range(2):
                await silent.data.expect(Piece)
            await good.want(patch)
            assert await fetch(lab, good, patch, 2) == [0, 1]

    async def test_rejected_piece_goes_to_another(self, lab: Lab) -> None:
        patch = await lab.publish(1)
        broken, good = await lab.endpoint(), await lab.endpoint()
        await broken.want(patch)
        await broken.data.expect(Piece)
        await good.want(patch)
        await broken.control.send(PieceRejected(torrent=patch.torrent_hash, piece=0))
        assert await fetch(lab, good, patch, 1) == [0]
        assert lab.database.patches()[0].damaged == ""

    async def test_newer_control_connection_replaces_the_older(self, lab: Lab) -> None:
        patch = await lab.publish(2)
        older = await lab.endpoint()
        await older.want(patch)
        await older.data.expect(Piece)
        newer = await lab.endpoint(older.identity)
        assert "newer" in await older.control.closed()
        await older.data.closed()
        await newer.want(patch)
        assert await fetch(lab, newer, patch, 2) == [0, 1]

    async def test_newer_data_connection_replaces_the_older(self, lab: Lab) -> None:
        patch = await lab.publish(2)
        endpoint = await lab.endpoint()
        older, endpoint.data = endpoint.data, await lab.data(endpoint.identity)
        assert "newer" in await older.closed()
        await endpoint.want(patch)
        assert await fetch(lab, endpoint, patch, 2) == [0, 1]

    async def test_several_fetchers_share_the_pieces(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path, fetchers_per_site=2) as lab:
            patch = await lab.publish(6)
            endpoints = [await lab.endpoint(), await lab.endpoint()]
            for endpoint in endpoints:
                await endpoint.want(patch)
            got: list[int] = []

            async def collect(endpoint: Endpoint) -> None:
                while len(got) < 6:
                    got.extend(await fetch(lab, endpoint, patch, 1))
                nursery.cancel_scope.cancel()

            async with trio.open_nursery() as nursery:
                for endpoint in endpoints:
                    nursery.start_soon(collect, endpoint)
            assert sorted(got) == list(range(6))


Damage = Callable[[Path], None]


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def remove(path: Path) -> None:
    path.unlink()


def make_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def forget_hashes(path: Path) -> None:
    path.with_name(f"{path.name}.pieces").unlink()


def cut_hashes(path: Path) -> None:
    os.truncate(path.with_name(f"{path.name}.pieces"), 32)


class TestDamagedPayload:
    @pytest.mark.parametrize("damage", [flip_a_bit, cut_off, remove, make_a_directory, forget_hashes, cut_hashes])
    async def test_never_leaves_and_everybody_is_told(self, lab: Lab, damage: Damage) -> None:
        patch, other = await lab.publish(3), await lab.publish(2, sequence=2)
        damage(lab.payload(patch))
        endpoint, neighbour = await lab.endpoint(), await lab.endpoint()
        arrived, pieces = trio.open_memory_channel[Piece](10)

        async def read() -> None:  # who reads nothing is sent nothing, and the damage is in the last piece
            while True:
                await arrived.send(await endpoint.data.expect(Piece))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await endpoint.want(patch)
            for told in (endpoint, neighbour):
                unavailable = await told.control.expect(Unavailable)
                assert (unavailable.torrent, "damaged" in unavailable.reason) == (patch.torrent_hash, True)
            await lab.server._records.flush()
            assert origin_fleet.REPAIR_HINT in lab.database.patches()[0].damaged
            # only good pieces may have come, and everything else is served on
            await endpoint.want(other)
            received = 0
            while received < 2:
                piece = await pieces.receive()
                if piece.torrent == other.torrent_hash:
                    assert piece.data == lab.piece(other, piece.piece)
                    await endpoint.control.send(PieceStored(torrent=piece.torrent, piece=piece.piece))
                    received += 1
                else:
                    assert piece.data == lab.piece(patch, piece.piece)
            nursery.cancel_scope.cancel()

    async def test_is_served_again_once_it_is_repaired(self, lab: Lab) -> None:
        patch = await lab.publish(3)
        flip_a_bit(lab.payload(patch))
        endpoint = await lab.endpoint()
        await endpoint.want(patch)
        await endpoint.control.expect(Unavailable)
        await lab.server._records.flush()  # else the damage may be written after the repair
        lab.payload(patch).write_bytes(lab.payloads[patch.torrent_hash])
        lab.database.mark_damaged(patch.torrent_hash, "")
        await lab.server.repository_changed(2)
        newcomer = await lab.endpoint()
        await endpoint.aclose()
        await newcomer.want(patch)
        assert await fetch(lab, newcomer, patch, 3) == [0, 1, 2]

    async def test_shortage_of_files_is_not_damage(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sender, "SHORTAGE_SECONDS", 0.01)
        patch = await lab.publish(1)
        endpoint = await lab.endpoint()
        opened = lab.content.open_payload
        failures = iter([24, 23, 12])  # EMFILE, ENFILE, ENOMEM

        def short_of_files(sha256: str) -> object:
            for number in failures:
                raise DamagedPayloadError("cannot open") from OSError(number, os.strerror(number))
            return opened(sha256)  # type: ignore[arg-type]

        monkeypatch.setattr(lab.content, "open_payload", short_of_files)
        await endpoint.want(patch)
        assert await fetch(lab, endpoint, patch, 1) == [0]
        assert lab.database.patches()[0].damaged == ""


class TestTheLine:
    SITES = '[[site]]\nname = "branch"\nnetworks = ["127.0.8.0/24"]\nline_mbit = {}\nfetchers = 2\n'

    def rates(self, lab: Lab) -> list[int]:
        """Return what the kernel or the meter lets each connection send that sends."""
        (live,) = lab.server._fleet._live.values()
        for link in live.sending:
            kernel = pacing_rate(link.connection.socket)
            assert kernel is not None
            assert link.rate is not None
            assert kernel >= 0.98 * link.rate
        return sorted(link.rate for link in live.sending if link.rate is not None)

    async def until(self, lab: Lab, holds: Callable[[list[int]], bool]) -> None:
        while not holds(self.rates(lab)):  # noqa: ASYNC110 - the kernel tells nobody
            await trio.sleep(0.005)

    async def test_capacity_is_reached_and_divided_among_the_connections_that_send(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path, sites=self.SITES.format(8.0)) as lab, trio.open_nursery() as nursery:
            patch = await lab.publish(200)
            first, second, _ = await lab.endpoint(), await lab.endpoint(), await lab.endpoint()
            for endpoint in (first, second):
                nursery.start_soon(keep_fetching, endpoint)
            await first.want(patch)
            # 97 % of 1 MB/s, and of that the payload
            await self.until(lab, lambda rates: len(rates) == 1 and 900_000 < rates[0] <= 970_000)
            await second.want(patch)
            await self.until(lab, lambda rates: len(rates) == 2 and 450_000 < min(rates) <= max(rates) <= 485_000)
            await second.aclose()
            await self.until(lab, lambda rates: len(rates) == 1 and rates[0] > 900_000)
            nursery.cancel_scope.cancel()

    async def test_new_description_of_the_line_holds_at_once(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path, sites=self.SITES.format(80.0)) as lab, trio.open_nursery() as nursery:
            patch = await lab.publish(400)
            endpoint = await lab.endpoint()
            nursery.start_soon(keep_fetching, endpoint)
            await endpoint.want(patch)
            await self.until(lab, lambda rates: rates != [] and rates[0] > 1_000_000)
            lab.server.replace_sites(site_map(self.SITES.format(8.0) + "share = 0.5\n"))
            await self.until(lab, lambda rates: rates != [] and 450_000 < rates[0] <= 500_000)
            nursery.cancel_scope.cancel()

    async def test_unanswered_pings_do_not_stop_a_line_that_delivers(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path, sites=self.SITES.format(80.0)) as lab:
            patch = await lab.publish(20)
            endpoint = await lab.endpoint()
            await endpoint.want(patch)
            assert len(await fetch(lab, endpoint, patch, 20)) == 20

    async def test_killed_fetcher_leaves_the_line_to_the_other(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path, sites=self.SITES.format(8.0)) as lab, trio.open_nursery() as nursery:
            patch = await lab.publish(60)
            first, second = await lab.endpoint(), await lab.endpoint()
            for endpoint in (first, second):
                nursery.start_soon(keep_fetching, endpoint)
                await endpoint.want(patch)
            await self.until(lab, lambda rates: len(rates) == 2)
            await first.aclose()
            await self.until(lab, lambda rates: len(rates) == 1 and rates[0] > 900_000)
            nursery.cancel_scope.cancel()

    async def test_steering_ends_when_nothing_is_sent(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(steering, "QUIET_SECONDS", 0.1)
        async with running_lab(tmp_path) as lab:
            patch = await lab.publish(2)
            endpoint = await lab.endpoint()
            await endpoint.want(patch)
            await fetch(lab, endpoint, patch, 2)
            assert (await endpoint.control.expect(LinkWatch)).interval_seconds is not None
            while (await endpoint.control.expect(LinkWatch)).interval_seconds is not None:
                pass
            (live,) = lab.server._fleet._live.values()
            assert not live.steered

    async def test_business_that_an_endpoint_sees_makes_the_site_yield(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path, sites=self.SITES.format(8.0)) as lab, trio.open_nursery() as nursery:
            patch = await lab.publish(200)
            endpoint, neighbour = await lab.endpoint(), await lab.endpoint()
            nursery.start_soon(keep_fetching, endpoint)
            await endpoint.want(patch)
            await self.until(lab, lambda rates: rates != [] and rates[0] > 500_000)
            (live,) = lab.server._fleet._live.values()
            carried = 0
            while live.rate.decision.state is not State.YIELD:
                carried += 50_000
                await neighbour.control.send(
                    LinkReport(interval_seconds=0.05, business_bytes=50_000, flows=((1, carried),), harm_seconds=None)
                )
                await trio.sleep(0.05)
            assert live.rate.decision.allowance <= 10_000
            nursery.cancel_scope.cancel()

    @pytest.mark.parametrize(
        "wrong",
        [
            {"interval_seconds": 0.0},
            {"interval_seconds": float("nan")},
            {"interval_seconds": 1e9},
            {"business_bytes": -1},
            {"business_bytes": 1 << 60},
            {"flows": [[1, 2]] * 17},
            {"flows": [[1]]},
            {"flows": [[1, -1]]},
            {"harm_seconds": -0.1},
            {"harm_seconds": float("inf")},
        ],
    )
    async def test_report_that_cannot_be(self, lab: Lab, wrong: dict) -> None:
        control, _ = await lab.control(lab.identity())
        report = {"t": "link", "interval_seconds": 0.05, "business_bytes": 1, "flows": [], "harm_seconds": None}
        await control.send_raw(packed(report | wrong))
        assert "malformed" in await control.closed()
        await lab.still_serves()

    async def test_profile_holds_at_once_and_its_end_too(self, tmp_path: Path) -> None:
        text = 'name = "{}"\ntime_zone = "UTC"\n'
        cap = parse_profile(text.format("cap") + '[[limit]]\nname = "low"\ncap = "2 Mbit/s"\n', source="cap")
        stop = parse_profile(text.format("stop") + '[[blackout]]\nname = "all day"\n', source="stop")
        async with running_lab(tmp_path, sites=self.SITES.format(8.0)) as lab, trio.open_nursery() as nursery:
            patch = await lab.publish(300)
            endpoint = await lab.endpoint()
            nursery.start_soon(keep_fetching, endpoint)
            await endpoint.want(patch)
            await self.until(lab, lambda rates: rates != [] and rates[0] > 900_000)
            lab.server.replace_profiles({SiteName("branch"): cap})
            await self.until(lab, lambda rates: rates != [] and rates[0] == 250_000 * 1_448 // 1_500)
            lab.server.replace_profiles({SiteName("branch"): stop})
            await trio.sleep(0.5)
            (live,) = lab.server._fleet._live.values()
            assert live.link_rate == 0
            assert live.rate.decision.reason == "policy forbids sending: blackout 'all day'"
            received = endpoint.data.received_bytes
            await trio.sleep(1.0)
            assert endpoint.data.received_bytes == received
            lab.server.replace_profiles({})
            await self.until(lab, lambda rates: rates != [] and rates[0] > 900_000)
            assert endpoint.data.received_bytes > received
            nursery.cancel_scope.cancel()

    async def test_egress_of_the_server_is_shared_by_the_sites(self, tmp_path: Path) -> None:
        sites = "".join(
            f'[[site]]\nname = "{name}"\nnetworks = ["127.0.8.{host}/32"]\nline_mbit = 80\nfetchers = 1\n'
            for name, host in (("a", 2), ("b", 3))
        )
        async with running_lab(tmp_path, sites=sites, egress_mbit=8.0) as lab, trio.open_nursery() as nursery:
            patch = await lab.publish(300)
            first, second = await lab.endpoint(), await lab.endpoint()
            lives = lab.server._fleet._live
            nursery.start_soon(keep_fetching, first)
            await first.want(patch)
            while lives[SiteName("a")].rate.decision.allowance < 900_000:  # noqa: ASYNC110
                await trio.sleep(0.02)
            assert lives[SiteName("a")].rate.decision.reason == "policy ceiling: the server's egress"
            nursery.start_soon(keep_fetching, second)
            await second.want(patch)
            while lives[SiteName("b")].rate.decision.allowance < 400_000:
                await trio.sleep(0.02)
                # a lowered ceiling holds from the site's next decision on
                assert sum(live.rate.egress_ceiling or 0 for live in lives.values()) <= 1_000_000
            nursery.cancel_scope.cancel()

    async def test_rate_and_reason_reach_the_operator_and_the_endpoints(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(origin_fleet, "LIMIT_SECONDS", 0.2)
        async with running_lab(tmp_path, sites=self.SITES.format(8.0)) as lab:
            patch = await lab.publish(20)
            endpoint = await lab.endpoint()
            await endpoint.want(patch)
            limit = await endpoint.control.expect(SiteLimit)
            assert (limit.capacity, limit.configured) == (1_000_000, True)
            await lab.server._records.flush()
            (row,) = lab.database.site_limits()
            assert (row.site, row.active, row.fetchers, row.endpoints) == ("branch", True, 1, 1)
            assert row.rate > 0

    async def test_flood_of_echoes_of_one_ping(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(origin_control, "MAX_FRAMES_PER_SECOND", 50)
        control, _ = await lab.control(lab.identity())
        ping = await control.expect(Ping)
        await control.send_raw(ping_frame(ping.number) * 200)
        assert "more than 50 messages" in await control.closed()
        await lab.still_serves()

    async def test_endpoint_whose_site_changes_connects_again(self, lab: Lab) -> None:
        endpoint = await lab.endpoint()
        lab.server.replace_sites(site_map(self.SITES.format(8.0)))
        assert "site map" in await endpoint.control.closed()
        assert (await lab.endpoint(endpoint.identity)).welcome.site == "branch"


class TestStartAndStop:
    async def test_stopping_says_goodbye(self, tmp_path: Path) -> None:
        reasons: list[str] = []

        async def wait(control: Connection) -> None:
            reasons.append(await control.closed())

        async with trio.open_nursery() as nursery, running_lab(tmp_path) as lab:
            control, _ = await lab.control(lab.identity())
            lab.connections.clear()
            nursery.start_soon(wait, control)
        assert reasons == ["the seed server is stopping"]
        await control.aclose()

    async def test_last_news_is_written(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path) as lab:
            patch = await lab.publish(2)
            endpoint = await lab.endpoint()
            await endpoint.want(patch)
            await fetch(lab, endpoint, patch, 2)
            written: dict = {}
            close = lab.database.close
            lab.database.close = lambda: (written.update(lab.database.wan_bytes()), close())[1]  # type: ignore[method-assign]
        assert list(written.values()) == [patch.length_bytes]

    async def test_address_in_use_is_named(self, lab: Lab, tmp_path: Path) -> None:
        (tmp_path / "second").mkdir()
        with pytest.RaisesGroup(pytest.RaisesExc(UserError, match=f"{SERVER_ADDRESS}:{lab.port}")) as caught:
            async with running_lab(tmp_path / "second", origin_port=lab.port):
                pass
        (error,) = caught.value.exceptions
        assert isinstance(error, UserError)
        assert error.kind == FaultKind.BUSY

    async def test_a_busy_database_does_not_stop_the_port(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        patch = await lab.publish(2)
        endpoint = await lab.endpoint()
        add = lab.database.add_wan_bytes

        def busy(*arguments: object) -> None:
            raise UserError("held by another process", FaultKind.BUSY)

        monkeypatch.setattr(lab.database, "add_wan_bytes", busy)
        await endpoint.want(patch)
        assert await fetch(lab, endpoint, patch, 2) == [0, 1]
        await lab.server._records.flush()
        assert lab.database.wan_bytes() == {}
        monkeypatch.setattr(lab.database, "add_wan_bytes", add)
        await lab.server._records.flush()
        assert sum(lab.database.wan_bytes().values()) == patch.length_bytes
