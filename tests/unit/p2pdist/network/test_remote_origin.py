"""`p2pdist.network.remote_origin`: what is said at the next connection. The process itself is played by the test."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from p2pdist.daemon.introduction import Introduction
from p2pdist.identity.servers import AddressTurns
from p2pdist.network.messages import FromOrigin, Introduce, PartMessage, Reconnect, UseServer
from p2pdist.network.process import NetworkPart
from p2pdist.network.remote_origin import RemoteOrigin
from p2pdist.origin.connection import Disconnected
from p2pdist.shared.server_address import ServerAddress
from p2pdist.shared.wire.messages import GoodbyeCause, Welcome
from tests.helpers.daemon_states import made_up_state
from tests.unit.p2pdist.daemon.test_origin_events import WELCOME

LAN_PORT = 7691


class Part:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.life = 1
        self.told: list[PartMessage] = []
        self.handlers: dict[type[PartMessage], Callable[[Any], None]] = {}

    def on(self, kind: type[PartMessage], handler: Callable[[Any], None]) -> None:
        self.handlers[kind] = handler

    def at_each_start(self, hook: object) -> None:
        """Nothing starts."""

    def at_each_end(self, hook: object) -> None:
        """Nothing ends."""

    def tell(self, message: PartMessage) -> None:
        self.told.append(message)

    def ends(self, cause: GoodbyeCause) -> str:
        """Let the connection end, and return the instance that is said at the next one."""
        self.told.clear()
        self.handlers[FromOrigin](FromOrigin(Disconnected("gone", cause), connected=False, status=""))
        (said,) = self.told
        assert isinstance(said, Introduce)
        return said.hello.instance


@pytest.fixture
def part() -> Part:
    part, state = Part(), made_up_state()
    introduction = Introduction(state)
    turns = state.servers.origin
    RemoteOrigin(cast("NetworkPart", part), lambda: introduction.hello(LAN_PORT), turns, replaced=state.replaced)
    return part


def test_who_is_replaced_says_another_instance_at_the_very_next_attempt(part: Part) -> None:
    before = part.ends("")
    drawn = part.ends("replaced")
    assert drawn != before
    assert part.ends("replaced") == drawn, "copies that drew at each turn would never be noticed"


@pytest.mark.parametrize("cause", ["", "shared_identity"])
def test_any_other_end_changes_nothing(part: Part, cause: GoodbyeCause) -> None:
    before = part.ends("")
    assert part.ends(cause) == before


def test_where_nobody_answers_the_next_attempt_is_elsewhere(part: Part) -> None:
    state = made_up_state()
    own, other = state.servers.own, ServerAddress("192.0.2.9", 1, 2)
    turns = AddressTurns([own, other])
    origin = RemoteOrigin(
        cast("NetworkPart", part), lambda: Introduction(state).hello(LAN_PORT), turns, replaced=state.replaced
    )

    def hears(event: Disconnected | Welcome, *, connected: bool = False) -> list[PartMessage]:
        part.told.clear()
        part.handlers[FromOrigin](FromOrigin(event, connected=connected, status=""))
        return [message for message in part.told if isinstance(message, UseServer)]

    assert hears(Disconnected("no answer")) == [UseServer("192.0.2.9", 2, at_once=True)]
    assert hears(Disconnected("no answer")) == [UseServer(own.host, own.origin_port)], "a round is over: it waits"
    assert hears(Disconnected("a copy", "shared_identity")) == [UseServer("192.0.2.9", 2)], "the server has said so"
    assert hears(WELCOME, connected=True) == []
    assert hears(Disconnected("the server closed the connection")) == [], "it had worked there"
    assert hears(Disconnected("no answer")) == [UseServer(own.host, own.origin_port, at_once=True)]
    assert turns.problems == {own: "a copy", other: "no answer"}
    turns.use([other], other)
    part.told.clear()
    origin.reconnect()
    assert [type(message) for message in part.told] == [UseServer, Introduce, Reconnect]
