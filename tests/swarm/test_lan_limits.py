"""The neighbours' class of the torrent engine: rates, and refusing to serve, with real engines."""

import libtorrent as lt
import pytest
import trio

from p2pdist.limiter.lan_policy import PROTOCOL_RATE, STOPPED, WIRED_THRESHOLD_SECONDS
from p2pdist.transfer.torrent_engine.settings import tick_settings

MIB = 1 << 20


def test_every_limits_burst_is_at_most_20_milliseconds_while_bytes_move() -> None:
    # the law takes a longer queue for somebody else's
    assert tick_settings(moving=True)["tick_interval"] / 1_000 < WIRED_THRESHOLD_SECONDS <= 0.02


async def test_our_class_is_there_before_any_torrent_and_holds_for_every_address(open_endpoint):
    async with open_endpoint() as a:
        session = a.engine._session
        assert session.get_torrents() == []
        mask = 1 << a.engine._lan_class
        rules = session.get_settings()
        assert rules["mixed_mode_algorithm"] == 0
        info = session.get_peer_class(a.engine._lan_class)
        assert (info["label"], info["upload_limit"], info["download_limit"]) == ("lan", 0, 0)
        assert mask > 1 << lt.session.local_peer_class_id


@pytest.mark.parametrize("way", ["upload", "download"])
async def test_a_rate_holds_also_for_private_addresses(open_endpoint, payload_of, way):
    payload, rate = payload_of(4 * MIB), 2 * MIB
    async with open_endpoint() as a, open_endpoint() as b:
        limited = a if way == "upload" else b
        await limited.engine.limit_lan(**{"upload": None, "download": None, way: rate}, serve=True)
        await a.add(payload, complete=True)
        await b.add(payload)
        await b.checked(payload)
        started = trio.current_time()
        b.connect(payload, a)
        await b.completed(payload)
        seconds = trio.current_time() - started
        assert 1.4 < seconds < 8.0, "about two; a busy machine may need longer, and never less"
        received, sent = await b.engine.lan_bytes()
        assert 4 * MIB < received < 4.4 * MIB
        assert 0 < sent < received / 10


async def test_a_connection_follows_its_rate_at_once(open_endpoint, payload_of):
    payload = payload_of(8 * MIB)
    async with open_endpoint() as a, open_endpoint() as b:
        await a.engine.limit_lan(upload=MIB, download=None, serve=True)
        await a.add(payload, complete=True)
        await b.add(payload)
        await b.checked(payload)
        b.connect(payload, a)
        await b.until(payload, lambda s: s.bytes_from_peers > MIB // 2)
        await a.engine.limit_lan(upload=None, download=None, serve=True)
        with trio.fail_after(3):
            await b.completed(payload)


async def test_who_refuses_to_serve_gives_nothing_until_it_serves_again(open_endpoint, payload_of):
    payload = payload_of(8 * MIB)
    async with open_endpoint() as a, open_endpoint() as b:
        await a.engine.limit_lan(upload=2 * MIB, download=None, serve=False)
        await a.add(payload, complete=True)
        await b.add(payload)
        await b.checked(payload)
        b.connect(payload, a)
        await b.until(payload, lambda s: len(s.peers) == 1)
        await trio.sleep(2.5)
        await b.engine.refresh()
        assert b.engine.snapshot(payload.torrent_hash).bytes_from_peers == 0
        await a.engine.limit_lan(upload=None, download=None, serve=True)
        await b.completed(payload)


async def test_refusing_stops_a_transfer_that_runs(open_endpoint, payload_of):
    payload = payload_of(16 * MIB)
    async with open_endpoint() as a, open_endpoint() as b:
        await a.engine.limit_lan(upload=2 * MIB, download=None, serve=True)
        await a.add(payload, complete=True)
        await b.add(payload)
        await b.checked(payload)
        b.connect(payload, a)
        await b.until(payload, lambda s: s.bytes_from_peers > MIB)
        await a.engine.limit_lan(upload=2 * MIB, download=None, serve=False)
        await trio.sleep(2.5)  # what is under way still comes
        await b.engine.refresh()
        before = b.engine.snapshot(payload.torrent_hash).bytes_from_peers
        await trio.sleep(1.0)
        await b.engine.refresh()
        assert b.engine.snapshot(payload.torrent_hash).bytes_from_peers - before <= 16_384
        assert len(b.engine.snapshot(payload.torrent_hash).peers) == 1
        await a.engine.limit_lan(upload=None, download=None, serve=True)
        await b.completed(payload)


async def bytes_in_a_second(endpoint):
    before = (await endpoint.engine.lan_bytes())[0]
    await trio.sleep(1.0)
    return (await endpoint.engine.lan_bytes())[0] - before


async def test_a_blackout_stops_both_ways_and_ends(open_endpoint, payload_of):
    payload = payload_of(16 * MIB)
    async with open_endpoint() as a, open_endpoint() as b:
        await a.engine.limit_lan(upload=2 * MIB, download=None, serve=True)
        await a.add(payload, complete=True)
        await b.add(payload)
        await b.checked(payload)
        b.connect(payload, a)
        await b.until(payload, lambda s: s.bytes_from_peers > MIB)
        await b.engine.limit_lan(upload=PROTOCOL_RATE, download=STOPPED, serve=False)
        with trio.fail_after(10):  # what is under way still arrives
            while await bytes_in_a_second(b) >= 1_000:
                pass
        assert await bytes_in_a_second(b) < 1_000, "and nothing more"
        await a.engine.limit_lan(upload=None, download=None, serve=True)
        await b.engine.limit_lan(upload=None, download=None, serve=True)
        await b.completed(payload)
