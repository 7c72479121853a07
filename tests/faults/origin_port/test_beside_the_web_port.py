"""What the origin port knows of the web port's clients: their addresses, their lines, and what they were sent."""

from pathlib import Path

import trio

from p2pdist.shared.identifiers import EndpointId, SiteName
from seed_server.line.control_budget import CONNECTING_BYTES, line_bytes
from tests.helpers.origin_endpoint import hello
from tests.helpers.origin_harness import Lab, running_lab

SITES = '[[site]]\nname = "branch"\nnetworks = ["127.0.8.0/24"]\nline_mbit = 8\n'
BRANCH = SiteName("branch")
STRANGER, OFFLINE = "198.51.100.7", "127.0.8.77"


async def metadata(lab: Lab, address: str, endpoint: EndpointId, count: int) -> None:
    paced = lab.server.metadata_line.answer(address, endpoint)
    while count:
        count -= await paced.may_send(count)


async def test_metadata_is_counted_on_the_line_of_the_site(tmp_path: Path) -> None:
    async with running_lab(tmp_path, sites=SITES) as lab:
        connected = await lab.endpoint()
        (live,) = lab.server._fleet._live.values()
        before = live.rate.control.collect(0, trio.current_time())
        assert before >= CONNECTING_BYTES
        await metadata(lab, connected.identity.local_address, connected.identity.endpoint, 20_000)
        await metadata(lab, OFFLINE, EndpointId("a" * 26), 20_000)  # of the same site, and not connected now
        lab.server.metadata_line.sent(OFFLINE, 1_000)
        counted = live.rate.control.collect(0, trio.current_time())
        assert counted >= 2 * 20_000 + line_bytes(1_000)


async def test_nothing_is_kept_of_a_stranger(tmp_path: Path) -> None:
    async with running_lab(tmp_path, sites=SITES) as lab:
        lab.server.metadata_line.sent(STRANGER, 1_000)
        lab.server.count_connecting(STRANGER)
        assert list(lab.server._fleet._lines._rates) == []
        assert STRANGER not in lab.server.known_addresses


async def test_an_enrolled_endpoint_makes_its_address_known_and_a_refused_one_does_not(tmp_path: Path) -> None:
    async with running_lab(tmp_path) as lab:
        denied = lab.identity()
        lab.database.set_denied(denied.endpoint, True)
        lab.server.drop_denied({denied.endpoint})
        refused = await lab.connect(lab.own_context(denied), denied.local_address)
        await refused.send(hello(denied.local_address))
        assert "denied" in await refused.closed()
        assert denied.local_address not in lab.server.known_addresses
        welcome = await lab.endpoint()
        assert welcome.identity.local_address in lab.server.known_addresses


async def test_pieces_leave_the_servers_own_line_to_metadata(tmp_path: Path) -> None:
    async with running_lab(tmp_path, sites=SITES, egress_mbit=8.0) as lab:
        fleet = lab.server._fleet
        endpoint = await lab.endpoint()
        patch = await lab.publish(60)
        await endpoint.want(patch)
        live = fleet._live[BRANCH]
        with trio.fail_after(5):
            while not live.steered:  # noqa: ASYNC110 - nobody is told
                await trio.sleep(0.02)
        fleet._share_egress()
        alone = live.rate.egress_ceiling
        await metadata(lab, OFFLINE, EndpointId("a" * 26), 60_000)
        fleet._share_egress()
        assert alone is not None
        assert live.rate.egress_ceiling is not None
        assert live.rate.egress_ceiling < alone - 20_000
