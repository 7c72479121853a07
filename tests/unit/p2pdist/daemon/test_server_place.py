"""`p2pdist.daemon.server_place`: what `p2pdist server` is told, and what an administrator says."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from p2pdist.daemon import server_place
from p2pdist.daemon.server_place import answer_server, set_server
from p2pdist.identity.server_change import with_address
from p2pdist.identity.store import Identity
from p2pdist.local_api.server_answers import ServerOrder
from p2pdist.shared.errors import UserError
from p2pdist.shared.server_address import ServerAddress
from tests.helpers.daemon_states import made_up_state


class Origin:
    """A connection that remembers that it was to be made anew."""

    status = "connected"
    connected = True
    again = 0

    def reconnect(self) -> None:
        self.again += 1


async def test_another_address_is_stored_shown_and_tried_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stored: list[Identity] = []

    def store(identity: Identity, address: ServerAddress) -> Identity:
        stored.append(with_address(identity, address))
        return stored[-1]

    monkeypatch.setattr(server_place, "store_address", store)
    state, origin = made_up_state(), cast("Any", Origin())
    before = state.identity
    assert [address.used for address in answer_server(state, origin).addresses] == [True]
    answer = await set_server(state, origin, ServerOrder("192.0.2.9", web_port=9443))
    assert [(one.host, one.web_port, one.origin_port, one.own) for one in answer.addresses] == [
        ("192.0.2.9", 9443, before.origin_port, True)
    ]
    assert origin.again == 1
    assert stored == [state.identity]
    assert replace(state.identity, server_address=before.server_address, web_port=before.web_port) == before


async def test_a_failed_address_says_why(tmp_path: Path) -> None:
    state, origin = made_up_state(), cast("Any", Origin())
    state.servers.origin.failed(state.servers.own, "nothing listens there")
    assert answer_server(state, origin).addresses[0].problem == "nothing listens there"
    with pytest.raises(UserError, match="no address of a seed server"):
        await set_server(state, origin, ServerOrder("224.0.0.1"))
    assert origin.again == 0
