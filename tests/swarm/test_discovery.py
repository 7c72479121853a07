"""Real mDNS on the loopback interface, with several daemons on 127.x addresses, and hostile records."""

import base64
import ipaddress
import os
from functools import partial

import pytest
import trio
import zeroconf
from msgspec.structs import replace

from p2pdist.neighbours import discovery as module
from p2pdist.neighbours.discovery import SERVICE_TYPE, Discovery, open_discovery
from p2pdist.neighbours.finder import PeerFound, PeerLost
from p2pdist.neighbours.known_peer import Announcement
from p2pdist.shared.identifiers import EndpointId

SWARM = "0123456789abcdef"


def new_id() -> EndpointId:
    # random: other tests, and daemons on this machine, share the loopback's mDNS
    return EndpointId(base64.b32encode(os.urandom(16)).decode().rstrip("=").lower())


def new_address() -> str:
    # random for the same reason: names per address are capped
    return str(ipaddress.IPv4Address("127.64.0.0") + int.from_bytes(os.urandom(3)) % (1 << 22))


def announcement(address: str | None = None, port: int = 7000) -> Announcement:
    return Announcement(new_id(), address or new_address(), port, SWARM, "")


async def heard_from(discovery: Discovery, endpoint_id: str, *, seconds: float = 8.0) -> PeerFound | PeerLost:
    """Return the next event that concerns this endpoint."""
    with trio.fail_after(seconds):
        async for event in discovery.events:
            about = event.announcement.endpoint_id if isinstance(event, PeerFound) else event.endpoint_id
            if about == endpoint_id:
                return event
    raise AssertionError("unreachable")


async def test_two_daemons_find_each_other_follow_changes_and_say_goodbye():
    one, two = announcement(), announcement(port=7001)
    async with open_discovery(one, interface=one.address) as a:
        async with open_discovery(two, interface=two.address) as b:
            assert await heard_from(a, two.endpoint_id) == PeerFound(two)
            assert await heard_from(b, one.endpoint_id) == PeerFound(one)
            moved = replace(two, port=7002, site_tag="fedcba9876543210")
            await b.announce(moved)
            while (event := await heard_from(a, two.endpoint_id)) != PeerFound(moved):
                assert isinstance(event, PeerFound)  # the port may be heard before the site
            assert (a.problem, b.problem) == ("", "")
        assert await heard_from(a, two.endpoint_id) == PeerLost(two.endpoint_id)


async def test_opening_does_not_wait_for_the_announcement():
    with trio.fail_after(1):
        async with open_discovery(announcement(), interface=None):
            pass


async def test_a_failure_is_a_problem_in_words_and_stops_nothing(monkeypatch):
    def no_network(*_args: object) -> zeroconf.Zeroconf:
        raise OSError(19, "No such device")

    monkeypatch.setattr(module, "_open", no_network)
    async with open_discovery(announcement(), interface=None) as a:
        with trio.fail_after(2):
            while not a.problem:  # noqa: ASYNC110 - a plain attribute
                await trio.sleep(0.01)
        assert "No such device" in a.problem


async def test_an_id_that_is_taken_is_a_problem_and_stops_nothing():
    one = announcement()
    async with (
        open_discovery(one, interface=None) as a,
        open_discovery(announcement(), interface=None) as b,
    ):
        await heard_from(b, one.endpoint_id)
        async with open_discovery(replace(one, address=new_address()), interface=None) as twin:
            with trio.fail_after(5):
                while not twin.problem:  # noqa: ASYNC110 - a plain attribute
                    await trio.sleep(0.01)
            assert "announces this endpoint's id" in twin.problem
        assert a.problem == ""


GOOD = {"v": "1", "swarm": SWARM, "site": "", "run": "00000001"}
HOSTILE: dict[str, dict[str, str | bytes | None]] = {
    "no version": {"v": None},
    "other version": {"v": "2"},
    "other id": {"id": "a" * 26},
    "not an id": {"id": "../../etc"},
    "short swarm": {"swarm": "0123"},
    "swarm in capitals": {"swarm": SWARM.upper()},
    "swarm with a line end": {"swarm": SWARM + "\n"},
    "bytes that are no text": {"site": b"\xff\xfe" * 8},
    "no run": {"run": ""},
    "everything long": {"site": "0" * 200},
}


def service(endpoint_id: str, changes: dict, address: str = "127.0.1.110", port: int = 9) -> zeroconf.ServiceInfo:
    properties = {**GOOD, "id": endpoint_id, **changes}
    return zeroconf.ServiceInfo(
        SERVICE_TYPE,
        f"{endpoint_id}.{SERVICE_TYPE}",
        port=port,
        properties={key: value for key, value in properties.items() if value is not None},
        server=f"{endpoint_id}.local.",
        parsed_addresses=[address],
    )


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_records_are_refused(case):
    endpoint_id = new_id()
    assert module._parse(endpoint_id, service(endpoint_id, {})) is not None
    assert module._parse(endpoint_id, service(endpoint_id, HOSTILE[case])) is None


def test_what_a_newer_release_says_besides_is_ignored():
    endpoint_id = new_id()
    newer = module._parse(endpoint_id, service(endpoint_id, {"more": b"\xff\xfe"}))
    assert newer == module._parse(endpoint_id, service(endpoint_id, {})) is not None


@pytest.mark.parametrize("address", ["224.0.0.251", "0.0.0.0", "255.255.255.255", "ff02::fb", "::", "fe80::1"])
def test_addresses_that_no_pc_has_are_refused(address):
    endpoint_id = new_id()
    assert module._parse(endpoint_id, service(endpoint_id, {}, address)) is None
    assert module._parse(endpoint_id, service(endpoint_id, {}, port=0)) is None


def _register(attacker: zeroconf.Zeroconf, info: zeroconf.ServiceInfo) -> None:
    attacker.register_service(info, cooperating_responders=True)


async def test_hostile_records_on_the_wire_do_no_harm_to_the_others():
    honest = announcement()
    crowded, malformed = new_address(), new_address()
    flood = [service(new_id(), {}, crowded) for _ in range(module.MAX_NAMES_PER_ADDRESS + 4)]
    bad = [service(new_id(), changes, malformed) for changes in HOSTILE.values()]
    attacker = await trio.to_thread.run_sync(lambda: zeroconf.Zeroconf(interfaces=["127.0.0.1"]))
    try:
        async with open_discovery(announcement(), interface=None) as a:
            async with trio.open_nursery() as nursery:
                for info in [*bad, *flood]:
                    # without the 1.6 s of probing that an honest one takes
                    nursery.start_soon(trio.to_thread.run_sync, partial(_register, attacker, info))
            async with open_discovery(honest, interface=None):
                seen = []
                with trio.fail_after(8):
                    async for event in a.events:
                        if event == PeerFound(honest):
                            break
                        seen.append(event)
            addresses = [e.announcement.address for e in seen if isinstance(e, PeerFound)]
            assert malformed not in addresses
            assert addresses.count(crowded) <= module.MAX_NAMES_PER_ADDRESS
            assert a.dropped_hints > 0
    finally:
        await trio.to_thread.run_sync(attacker.close)


async def test_a_pc_without_a_network_announces_itself_when_it_gets_one():
    own = announcement("0.0.0.0")
    async with (
        open_discovery(own, interface=None) as late,
        open_discovery(announcement(), interface=None) as other,
    ):
        with trio.fail_after(2):
            while not late.problem:  # noqa: ASYNC110 - a plain attribute
                await trio.sleep(0.01)
        assert "no network address" in late.problem
        arrived = replace(own, address=new_address())
        await late.announce(arrived)
        assert await heard_from(other, own.endpoint_id) == PeerFound(arrived)
        with trio.fail_after(5):
            while late.problem:  # noqa: ASYNC110 - a plain attribute
                await trio.sleep(0.01)


async def test_a_changed_address_opens_mdns_anew_on_the_networks_of_now(monkeypatch):
    opened = []
    real = module._open

    def counted(address, interface):
        opened.append(address)
        return real(address, interface)

    monkeypatch.setattr(module, "_open", counted)
    own = announcement()
    async with (
        open_discovery(own, interface=None) as moving,
        open_discovery(announcement(), interface=None) as other,
    ):
        assert await heard_from(other, own.endpoint_id) == PeerFound(own)
        moved = replace(own, address=new_address())
        await moving.announce(moved)
        while (event := await heard_from(other, own.endpoint_id)) != PeerFound(moved):
            assert event == PeerLost(own.endpoint_id)
    assert opened.count(moved.address) == 1
