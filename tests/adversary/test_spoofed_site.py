"""An enrolled PC that lies about where it is: into another branch it cannot get, and nobody is sent to its victims."""

from pathlib import Path

import trio

from p2pdist.shared.wire.messages import SitePeers
from tests.helpers.origin_endpoint import Connection
from tests.helpers.origin_harness import fetch, running_lab

# one fetcher on leeds' line, as on every slow one
SITES = """
[[site]]
name = "hq"
networks = ["127.0.8.2/32"]
[[site]]
name = "leeds"
networks = ["127.0.8.0/24"]
line_mbit = 80
fetchers = 1
"""
VICTIM = "127.0.8.99"
TAKEN_FOR = 2**40


async def told(control: Connection, seconds: float) -> list[tuple[str, int]]:
    """Return where an endpoint is told to connect to within ``seconds``."""
    places: list[tuple[str, int]] = []
    with trio.move_on_after(seconds):
        while True:
            places += [(peer.address, peer.port) for peer in (await control.expect(SitePeers)).joined]
    return places


async def test_pc_of_one_branch_takes_no_piece_of_another(tmp_path: Path) -> None:
    async with running_lab(tmp_path, sites=SITES) as lab:
        spoofer = await lab.endpoint(addresses=[VICTIM], uptime_seconds=TAKEN_FOR)
        honest = await lab.endpoint(uptime_seconds=1)
        assert spoofer.identity.local_address == "127.0.8.2"
        patch = await lab.publish(4)
        await spoofer.want(patch, stalled=True)
        await honest.want(patch)
        assert (spoofer.welcome.site, honest.welcome.site) == ("hq", "leeds")
        assert await fetch(lab, honest, patch, 4) == [0, 1, 2, 3]


async def test_neighbours_are_not_sent_to_a_place_of_the_liar_s_choice(tmp_path: Path) -> None:
    async with running_lab(tmp_path, sites=SITES) as lab:
        honest = await lab.endpoint()  # 127.0.8.2: hq
        neighbour = await lab.endpoint()
        liar = await lab.endpoint(addresses=[VICTIM, "224.0.0.251", "0.0.0.0", "169.254.3.4"])
        places = await told(neighbour.control, 0.6)
        assert (liar.identity.local_address, 7691) in places
        assert {address for address, _ in places} <= {liar.identity.local_address}
        assert await told(honest.control, 0.1) == []
