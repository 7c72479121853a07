"""A line that is down: one of an endpoint's sockets drops all that arrives, as a router without a line does."""

import sys
from pathlib import Path

import pytest
import trio

from p2pdist.shared.wire.data_messages import Piece
from p2pdist.shared.wire.messages import Welcome
from tests.helpers.deaf_socket import deafen
from tests.helpers.origin_endpoint import Closed, Connection, Endpoint
from tests.helpers.origin_harness import Lab, fetch, running_lab

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a socket drop packets")

ONE_FETCHER = '[[site]]\nname = "branch"\nnetworks = ["127.0.8.0/24"]\nline_mbit = 80\nfetchers = 1\n'
DEADLINE_SECONDS = 20


async def answer_pings(control: Connection) -> str:
    """Answer every ping until the end; return the reason that the server gives."""
    try:
        while True:
            await control.expect(Welcome)
    except Closed as end:
        return str(end)


async def test_who_answers_while_its_data_connection_rests_is_told_to_connect_again(lab: Lab) -> None:
    patch = await lab.publish(200)
    first = await lab.endpoint()
    await first.want(patch)
    await first.data.expect(Piece)
    deafen(first.data.stream.transport_stream.socket)
    with trio.fail_after(DEADLINE_SECONDS):
        assert await answer_pings(first.control) == "the line was down: connect again"
        again = await lab.endpoint(first.identity)
        await again.want(patch)
        assert await fetch(lab, again, patch, 1)


async def test_who_connects_anew_gets_its_pieces_at_once_though_others_are_still_silent(tmp_path: Path) -> None:
    async with running_lab(tmp_path, sites=ONE_FETCHER) as lab:
        patch = await lab.publish(60)
        fetcher, other = await lab.endpoint(uptime_seconds=9), await lab.endpoint(uptime_seconds=1)
        await fetcher.want(patch)
        await fetcher.data.expect(Piece)
        await other.want(patch)
        silent: list[Endpoint] = [fetcher, other]
        for endpoint in silent:
            for connection in (endpoint.control, endpoint.data):
                deafen(connection.stream.transport_stream.socket)
        known = lab.server._fleet.session(other.identity.endpoint)
        assert known is not None
        session, live = known
        with trio.fail_after(DEADLINE_SECONDS):
            await trio.sleep(1.0)
            assert live.steered_since is not None
            session.heard_at -= 20.0  # as after an outage of that length, since long after the site began to be sent to
            live.steered_since -= 20.0
            again = await lab.endpoint(fetcher.identity)
            await again.want(patch)
            began = trio.current_time()
            assert await fetch(lab, again, patch, 5)
            assert trio.current_time() - began < 2.0, "an idle turn would last 3 s"
            assert session.set_aside
