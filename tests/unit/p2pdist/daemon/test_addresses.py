"""`p2pdist.daemon.addresses`: what a changed address sets off, and which changes restart nothing."""

from dataclasses import replace
from typing import Any, cast

import pytest
import trio

from p2pdist.daemon.addresses import AddressWatch
from p2pdist.daemon.restarts import Restarts
from p2pdist.pc import local_facts
from tests.helpers.daemon_states import made_up_state
from tests.helpers.fake_clock import FakeClock


class Heard:
    """The server's connection, the neighbours and the restarts."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def reconnect(self) -> None:
        self.calls.append("server")

    async def announce(self) -> None:
        self.calls.append("neighbours")

    async def start_anew(self) -> None:
        self.calls.append("restart")


async def test_own_addresses_that_cannot_be_read_end_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    again = trio.Event()
    looked = 0

    def out_of_descriptors(*_arguments: object, **_named: object) -> local_facts.LocalFacts:
        nonlocal looked
        looked += 1
        if looked > 1:
            trio.from_thread.run_sync(again.set)
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(local_facts, "read_local_facts", out_of_descriptors)
    watch = AddressWatch(made_up_state(), Restarts(), FakeClock(), check_seconds=0.01)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run, cast("Any", None), cast("Any", None))
        with trio.fail_after(5):
            await again.wait()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("fixed", "addresses", "told"),
    [
        pytest.param(None, ("192.0.2.1",), [], id="the same"),
        pytest.param(None, ("192.0.2.2",), ["server", "neighbours"], id="another"),
        pytest.param(None, ("2001:db8::1",), ["server", "neighbours", "restart"], id="another family to listen on"),
        pytest.param("192.0.2.7", ("2001:db8::1",), [], id="fixed"),
        pytest.param(None, ("192.0.2.1", "192.0.2.9", "2001:db8::1"), [], id="others on the same card"),
    ],
)
async def test_a_changed_address_is_told(fixed: str | None, addresses: tuple[str, ...], told: list[str]) -> None:
    state, heard = made_up_state(fixed_address=fixed), Heard()
    state.facts = replace(local_facts.UNKNOWN, addresses=("192.0.2.1",))
    watch = AddressWatch(state, cast("Any", heard), FakeClock())
    facts = replace(local_facts.UNKNOWN, addresses=addresses)
    await watch.accept(facts, cast("Any", heard), cast("Any", heard))
    assert (heard.calls, state.facts) == (told, facts)


async def test_an_address_that_is_away_for_a_while_and_comes_back_is_no_change() -> None:
    state, heard = made_up_state(), Heard()
    state.facts = replace(local_facts.UNKNOWN, addresses=("2001:db8::1",))
    watch = AddressWatch(state, cast("Any", heard), FakeClock())
    for addresses in ((), ("2001:db8::1",)):
        await watch.accept(replace(local_facts.UNKNOWN, addresses=addresses), cast("Any", heard), cast("Any", heard))
        assert (heard.calls, state.address, state.listen_address) == ([], "2001:db8::1", "::")
