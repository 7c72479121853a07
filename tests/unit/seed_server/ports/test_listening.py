"""`seed_server.ports.listening`: real sockets, and errors that say what to do."""

import os

import pytest

from bench.fleet_processes import free_ports
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.ports.listening import listen_sockets


def test_address_in_use_names_place_and_purpose() -> None:
    (taken,) = listen_sockets(["127.0.8.1"], 0, purpose="web port")
    port = taken.getsockname()[1]
    with taken, pytest.raises(UserError, match=rf"127\.0\.8\.1:{port}.*origin port") as caught:
        listen_sockets(["127.0.8.1"], port, purpose="origin port")
    assert caught.value.kind is FaultKind.BUSY


def test_address_of_another_machine() -> None:
    with pytest.raises(UserError, match="not an address of this machine") as caught:
        listen_sockets(["192.0.2.1"], 0, purpose="web port")
    assert caught.value.kind is FaultKind.BAD_INPUT


def test_both_families_share_a_port() -> None:
    (free_port,) = free_ports(1)
    first, second = listen_sockets(["127.0.8.1", "::1"], free_port, purpose="origin port")
    with first, second:
        assert first.getsockname()[1] == second.getsockname()[1] == free_port


@pytest.mark.skipif(os.geteuid() == 0, reason="root may take any port")
def test_port_that_only_root_may_take() -> None:
    with pytest.raises(UserError, match="above 1023"):
        listen_sockets(["127.0.8.1"], 443, purpose="web port")
