"""The rate of a site's line: reached, divided, limited, explained."""

import itertools
import socket
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from bandwidth.core.states import State
from bandwidth.core.units import LARGEST_PACKET_BYTES, SAFE_PACKET_BYTES
from bandwidth.profiles.parse import parse_profile
from p2pdist.shared.identifiers import SiteName
from p2pdist.shared.wire.line_messages import LinkReport, LinkWatch, SiteLimit
from p2pdist.shared.wire.pings import echo_frame
from seed_server.line.control_budget import CONNECTING_BYTES, line_bytes
from seed_server.line.pacing import pacing_rate
from seed_server.line.site_sample import TCP_HEADER_BYTES
from seed_server.origin.data_link import SLICE_BYTES
from seed_server.origin.site import LiveSite
from tests.helpers.origin_endpoint import (
    Connection,
    Identity,
    Ping,
    keep_fetching,
    packed,
)
from tests.helpers.origin_harness import SERVER_ADDRESS, TEST_LIMITS, Lab, fetch, running_lab, site_map


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

    async def test_steering_ends_when_nothing_is_sent(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path, limits=replace(TEST_LIMITS, quiet_seconds=0.1)) as lab:
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
                    LinkReport(
                        interval_seconds=0.05,
                        business_bytes=50_000,
                        flows=((1, carried),),
                        harm_seconds=None,
                        card_rate=None,
                        from_neighbours_bytes=0,
                        to_neighbours_bytes=0,
                    )
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
            {"card_rate": 0},
            {"card_rate": 1 << 40},
            {"from_neighbours_bytes": -1},
            {"to_neighbours_bytes": 1 << 60},
        ],
    )
    async def test_report_that_cannot_be(self, lab: Lab, wrong: dict) -> None:
        control, _ = await lab.control(lab.identity())
        report = {
            "t": "link", "interval_seconds": 0.05, "business_bytes": 1, "flows": [], "harm_seconds": None,
            "card_rate": None, "from_neighbours_bytes": 0, "to_neighbours_bytes": 0,
        }  # fmt: skip
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
            capped = 250_000 * 1_448 // 1_500  # data and control together: pings and messages take their part of it
            await self.until(lab, lambda rates: rates != [] and 0.97 * capped < rates[0] < capped)
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

    async def test_data_and_control_together_keep_the_share_of_the_line(self, tmp_path: Path) -> None:
        """Everything that comes to 12 PCs, of which one fetches, while there are 100 notices a second."""
        share = 500_000
        async with running_lab(tmp_path, sites=self.SITES.format(8.0) + "share = 0.5\n") as lab:
            patch = await lab.publish(400)
            endpoints = [await lab.endpoint() for _ in range(12)]
            (live,) = lab.server._fleet._live.values()
            control_bytes = 0

            async def listen(control: Connection) -> None:
                nonlocal control_bytes
                while True:
                    before = control.received_bytes
                    message = await control.receive()
                    control_bytes += line_bytes(control.received_bytes - before)
                    if isinstance(message, Ping):
                        await control.echo(message)

            async def notify() -> None:
                for version in itertools.count(2):
                    live.repository_changed(version, trio.current_time())
                    await trio.sleep(0.01)

            async with trio.open_nursery() as nursery:
                for endpoint in endpoints[1:]:
                    nursery.start_soon(listen, endpoint.control)
                nursery.start_soon(keep_fetching, endpoints[0])
                await endpoints[0].want(patch)
                nursery.start_soon(notify)
                await self.until(lab, lambda rates: rates != [] and rates[0] > 400_000)
                began, data, control_bytes = trio.current_time(), endpoints[0].data.received_bytes, 0
                await trio.sleep(2.0)
                seconds, data = trio.current_time() - began, endpoints[0].data.received_bytes - data
                nursery.cancel_scope.cancel()
            assert control_bytes > 0.05 * share * seconds, "there was something to count"
            # a piece's last part may have been on its way before
            assert data * 1_500 / 1_448 + control_bytes < 1.01 * share * seconds + SLICE_BYTES

    async def with_nothing_counted(self, lab: Lab) -> LiveSite:
        """Return the site after one endpoint has connected for data too."""
        await lab.endpoint()
        (live,) = lab.server._fleet._live.values()
        while any(session.link is None for session in live.sessions.values()):  # noqa: ASYNC110
            await trio.sleep(0.01)
        live.rate.control.forget(trio.current_time())
        return live

    async def test_a_handshake_is_counted_as_what_it_takes(self, lab: Lab) -> None:
        live = await self.with_nothing_counted(lab)
        control, _ = await lab.control(lab.identity())
        counted = live.rate.control.collect(1e9, trio.current_time())
        info = control.stream.transport_stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        bytes_received, segments_in = struct.unpack_from("=Q", info, 128)[0], struct.unpack_from("=I", info, 140)[0]
        taken = bytes_received + segments_in * TCP_HEADER_BYTES
        assert 0.6 * counted < taken < counted

    async def test_a_stranger_s_handshake_is_counted_and_a_silent_connection_is_not(self, lab: Lab) -> None:
        live = await self.with_nothing_counted(lab)
        silent = await trio.open_tcp_stream(SERVER_ADDRESS, lab.port, local_address="127.0.8.250")
        await silent.aclose()
        stranger = await lab.connect(lab.context(None))
        assert await stranger.closed() == ""
        counted = 0
        while counted < CONNECTING_BYTES:
            await trio.sleep(0.05)
            counted += live.rate.control.collect(1e9, trio.current_time())
        await trio.sleep(0.05)
        counted += live.rate.control.collect(1e9, trio.current_time())
        assert counted < 2 * CONNECTING_BYTES

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

    async def test_rate_and_reason_reach_the_operator_and_the_endpoints(self, tmp_path: Path) -> None:
        limits = replace(TEST_LIMITS, site_limit_seconds=0.2)
        async with running_lab(tmp_path, sites=self.SITES.format(8.0), limits=limits) as lab:
            patch = await lab.publish(20)
            endpoint = await lab.endpoint()
            await endpoint.want(patch)
            limit = await endpoint.control.expect(SiteLimit)
            assert (limit.capacity, limit.configured) == (1_000_000, True)
            await lab.server._records.flush()
            (row,) = lab.database.site_limits()
            assert (row.site, row.active, row.fetchers, row.endpoints) == ("branch", True, 1, 1)
            assert row.rate > 0

    async def test_flood_of_echoes_of_one_ping(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path) as lab:
            control, _ = await lab.control(lab.identity())
            ping = await control.expect(Ping)
            await control.send_raw(echo_frame(ping.number) * 400)
            assert "more answers to pings" in await control.closed()
            await lab.still_serves()

    async def test_endpoint_whose_site_changes_connects_again(self, lab: Lab) -> None:
        endpoint = await lab.endpoint()
        lab.server.replace_sites(site_map(self.SITES.format(8.0)))
        assert "site map" in await endpoint.control.closed()
        assert (await lab.endpoint(endpoint.identity)).welcome.site == "branch"

    async def test_one_pc_that_says_full_packets_are_lost_gets_small_ones_and_two_change_the_site_s(
        self, tmp_path: Path
    ) -> None:
        async with running_lab(tmp_path, sites=self.SITES.format(100.0)) as lab:
            first, second, third = lab.identity(), lab.identity(), lab.identity()

            async def told(identity: Identity) -> tuple[int, bool]:
                _, welcome = await lab.control(identity)
                return welcome.packet_bytes, welcome.large_packets_lost

            async def says(identity: Identity) -> None:
                await told(identity)
                await lab.data(identity, large_packets_lost=True)
                (live,) = lab.server._fleet._live.values()
                while live.sessions[identity.endpoint].link is None:  # noqa: ASYNC110 - it tells nobody
                    await trio.sleep(0.005)

            await says(first)
            assert await told(second) == (LARGEST_PACKET_BYTES, False)
            assert await told(first) == (SAFE_PACKET_BYTES, True)
            (live,) = lab.server._fleet._live.values()
            assert not live.limit_row(trio.current_time(), 0.0).large_packets_lost
            await says(second)
            assert live.limit_row(trio.current_time(), 0.0).large_packets_lost
            assert await told(third) == (SAFE_PACKET_BYTES, True)
