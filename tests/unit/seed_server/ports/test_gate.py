"""`seed_server.ports.gate`: connections by address block, what strangers may fill, and open files."""

import contextlib
from dataclasses import dataclass

import pytest

from seed_server.ports.gate import (
    FILES_PER_WEB_CONNECTION,
    MAX_CONNECTIONS,
    MAX_PER_ADDRESS,
    MAX_UNPROVEN,
    MAX_WEB_CONNECTIONS,
    RESERVED_FILES,
    Gate,
    GateLimits,
    allowed_connections,
    web_limits,
)
from seed_server.ports.known_addresses import KnownAddresses

resource = pytest.importorskip("resource")

LIMITS = {"origin": GateLimits(), "web": web_limits()}


def fill(gate: Gate, stack: contextlib.ExitStack, addresses: list[str]) -> int:
    """Open unproven connections from ``addresses``, one after the other, until none gets in; return how many did."""
    opened = 0
    while any(not gate.full(address) for address in addresses):
        for address in addresses:
            if not gate.full(address):
                stack.enter_context(gate.entered(address))
                stack.enter_context(gate.unproven(address))
                opened += 1
    return opened


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
def test_one_address_holds_a_tenth_and_no_more(limits: GateLimits) -> None:
    gate = Gate(limits)
    with contextlib.ExitStack() as stack:
        assert fill(gate, stack, ["192.0.2.1"]) == limits.unproven // 10
        assert "192.0.2.1" in gate.full("192.0.2.1")
        assert gate.full("192.0.2.2") == ""
    assert gate.full("192.0.2.1") == "", "what has gone makes room"


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
def test_all_addresses_of_one_link_are_one(limits: GateLimits) -> None:
    gate = Gate(limits)
    with contextlib.ExitStack() as stack:
        one_link = [f"2001:db8::{n:x}" for n in range(5)]
        assert fill(gate, stack, one_link) == limits.unproven // 10
        assert gate.full("2001:db8::ffff:1")
        assert gate.full("2001:db8:0:1::1") == ""


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
def test_strangers_of_many_addresses_leave_room_for_known_ones(limits: GateLimits) -> None:
    gate = Gate(limits, known=KnownAddresses(["10.1.0.7"]))
    with contextlib.ExitStack() as stack:
        strangers = [f"192.0.2.{n}" for n in range(100)]
        assert fill(gate, stack, strangers) == limits.unproven * 3 // 4
        assert "no enrolled endpoint" in gate.full("198.51.100.1")
        assert gate.full("10.1.0.7") == ""
        assert fill(gate, stack, ["10.1.0.7"]) == limits.unproven // 10, "but a known address has its cap, too"


@dataclass(eq=False)
class Newcomer:
    silent: bool
    ended: bool = False

    def is_silent(self) -> bool:
        return self.silent

    def end(self) -> None:
        self.ended = True


def test_a_newcomer_takes_the_place_of_the_oldest_silent_one_of_its_address() -> None:
    gate = Gate(GateLimits(1_000, 100, 30))
    with contextlib.ExitStack() as stack:
        there = [Newcomer(silent=silent) for silent in (False, True, True)]
        for newcomer in there:
            stack.enter_context(gate.entered("192.0.2.1"))
            stack.enter_context(gate.unproven("192.0.2.1", newcomer))
        assert gate.full("192.0.2.1")
        assert [gate.made_room("192.0.2.1") for _ in range(4)] == [True, True, True, False]
        assert all(newcomer.ended for newcomer in there)
    assert not gate._newcomers


def test_nobody_is_ended_for_one_that_may_not_come_in_anyway() -> None:
    gate = Gate(GateLimits(1_000, 100, 30))
    newcomer = Newcomer(silent=True)
    with gate.entered("192.0.2.1"), gate.unproven("192.0.2.1", newcomer):
        assert not gate.made_room("192.0.2.1"), "it is not full"
        assert not gate.made_room("192.0.2.2"), "another address"
    assert not newcomer.ended


def test_proven_connections_do_not_keep_strangers_out() -> None:
    """A fleet that fills nine tenths of the port is no reason to refuse a PC that enrols now."""
    gate = Gate(GateLimits(100, 100, 20))
    with contextlib.ExitStack() as stack:
        for _ in range(90):
            stack.enter_context(gate.entered("10.1.0.7"))
        assert gate.full("192.0.2.1") == ""
        for _ in range(10):
            stack.enter_context(gate.entered("10.1.0.8"))
        assert gate.full("192.0.2.1")


def test_the_web_port_keeps_most_for_clients_with_a_certificate() -> None:
    limits = web_limits()
    assert (limits.connections, limits.per_address) == (MAX_WEB_CONNECTIONS, MAX_WEB_CONNECTIONS // 10)
    assert limits.unproven < MAX_WEB_CONNECTIONS // 2
    assert (web_limits(1).per_address, web_limits(1).unproven_per_address) == (1, 1)


def test_at_the_cap_nobody_comes_in_until_one_has_gone() -> None:
    gate = Gate(GateLimits(connections=2))
    caps, why = [], []
    with gate.entered("192.0.2.1"):
        for address in ("192.0.2.2", "192.0.2.3"):
            with gate.entered(address):
                caps.append(gate.at_the_cap)
                why.append(gate.full("192.0.2.4"))
        caps.append(gate.at_the_cap)
        why.append(gate.full("192.0.2.4"))
    assert caps == [True, True, False]
    assert list(map(bool, why)) == [True, True, False]


def test_caps_are_what_the_documents_say() -> None:
    assert (MAX_CONNECTIONS, MAX_PER_ADDRESS, MAX_UNPROVEN) == (60_000, 2_000, 1_000)


@pytest.mark.parametrize(
    ("limit", "origin"),
    [
        pytest.param(256, 128, id="half of a very low limit"),
        pytest.param(16_384, 16_384 - RESERVED_FILES, id="all but the reserved of a common one"),
        pytest.param(1 << 20, MAX_CONNECTIONS, id="no more than the cap of a high one"),
    ],
)
def test_the_origin_port_leaves_files_to_everything_else(
    monkeypatch: pytest.MonkeyPatch, limit: int, origin: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    allowed = allowed_connections()
    assert allowed.origin == origin
    assert 0 < allowed.web <= MAX_WEB_CONNECTIONS
    assert allowed.origin + FILES_PER_WEB_CONNECTION * allowed.web < limit
