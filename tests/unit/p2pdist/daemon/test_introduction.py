"""`p2pdist.daemon.introduction`: what this PC says of itself fits what it does."""

from dataclasses import replace

import pytest

from p2pdist.daemon.introduction import Introduction
from p2pdist.pc import local_facts
from tests.helpers.daemon_states import made_up_state


@pytest.mark.parametrize(
    ("fixed", "addresses", "listens_on", "announces"),
    [
        pytest.param("192.0.2.7", ("192.0.2.1",), "192.0.2.7", "192.0.2.7", id="fixed"),
        pytest.param(None, ("192.0.2.1", "2001:db8::1"), "0.0.0.0", "192.0.2.1", id="IPv4 first"),
        pytest.param(None, ("2001:db8::1",), "::", "2001:db8::1", id="IPv6 only"),
        pytest.param(None, (), "0.0.0.0", "0.0.0.0", id="no network"),
    ],
)
def test_listens_where_the_announced_address_leads(
    fixed: str | None, addresses: tuple[str, ...], listens_on: str, announces: str
) -> None:
    state = made_up_state(fixed_address=fixed)
    state.facts = replace(local_facts.UNKNOWN, addresses=addresses)
    assert state.listen_address == listens_on
    assert Introduction(state).announcement(7691).address == announces


def test_what_has_changed_is_said_the_next_time() -> None:
    state = made_up_state()
    introduction = Introduction(state)
    before = introduction.announcement(7691)
    state.site, state.facts = "oslo", replace(local_facts.UNKNOWN, addresses=("192.0.2.1",), uptime_seconds=77)
    assert before.site_tag == ""
    assert introduction.announcement(7691).site_tag != ""
    hello = introduction.hello(7691)
    assert (hello.addresses, hello.lan_port, hello.uptime_seconds) == (["192.0.2.1"], 7691, 77)


def test_an_instance_is_that_of_one_run_and_drawn_once_more_when_a_copy_may_have_it_too() -> None:
    state = made_up_state()
    introduction, other_run = Introduction(state), Introduction(made_up_state())
    first = introduction.hello(7691).instance
    assert introduction.hello(7691).instance == first != other_run.hello(7691).instance
    state.replaced()
    second = introduction.hello(7691).instance
    assert second != first
    state.replaced()
    assert introduction.hello(7691).instance == second, "copies that drew at each turn would never be noticed"
