"""`seed_server.fleet.moving`: PCs are told another address, and the former one goes when all know it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import trio
from msgspec.structs import replace

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.manifest.servers import ServerList
from p2pdist.shared.server_address import ServerAddress
from p2pdist.shared.wire.enrolment import Token, TokenPlace, decode_token, encode_token
from seed_server.fleet import endpoint_operations, moving, operations
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.fleet.problems import move_problems
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings, write_settings
from seed_server.signing.key_files import OfflineKeys
from seed_server.signing.servers import AddressChange, changed_list
from seed_server.store.serve_lock import serve_lock
from tests.helpers.fake_clock import FakeClock

ADA = Actor.local_user("ada")
OWN, NEW = ServerAddress("127.0.0.1", 8443, 7690), ServerAddress("patches.example.com", 8443, 7690)
ONE, TWO = "a" * 26, "b" * 26
FINISH, CANCEL = AddressChange(finish=True), AddressChange(cancel=True)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    home, clock = ServerHome(tmp_path / "home"), FakeClock(1_800_000_000.0)
    initialise(home, ServerSettings(name="hq", address=OWN.host), passphrase=None, now=clock.now())
    with (context := Context(home, clock)).database() as database:
        database.add_endpoint(ONE, "pc-1", 1.0)
        database.add_endpoint(TWO, "pc-2", 1.0)
    return context


@pytest.fixture
def change(context: Context) -> Callable[..., tuple[ServerAddress, ...]]:
    keys = OfflineKeys(context.home.offline_keys)
    return lambda what, **named: moving.change_addresses(context, ADA, what, keys, **named).addresses


def knows(context: Context, *pcs: str) -> None:
    number = moving.read_move(context, most=0).number
    with context.database() as database:
        database.save_known_servers(dict.fromkeys(pcs, number))


def test_a_server_that_never_moved_has_its_one_address(context: Context) -> None:
    state = moving.read_move(context, most=9)
    assert (state.addresses, state.number, state.lacking, state.moved_to) == ((OWN,), 0, 0, "")
    with context.database() as database:
        assert move_problems(context, database) == []


def test_the_former_address_goes_when_all_know_the_new_one(
    context: Context, change: Callable[..., tuple[ServerAddress, ...]]
) -> None:
    assert change(AddressChange(add=NEW)) == (OWN, NEW)
    knows(context, ONE)
    state = moving.read_move(context, most=9)
    assert (state.everyone, state.informed, [pc.hostname for pc in state.uninformed]) == (2, 1, ["pc-2"])
    with context.database() as database:
        (problem,) = move_problems(context, database)
    assert "1 of 2: pc-2" in problem.text
    with pytest.raises(UserError, match=r"1 of 2 PCs do not know .* pc-2") as caught:
        change(FINISH)
    assert caught.value.kind is FaultKind.REFUSED
    knows(context, ONE, TWO)
    is_at(context, NEW)
    assert change(FINISH) == (NEW,)
    with context.database() as database:
        (problem,) = move_problems(context, database)
    assert "2 of 2" in problem.text, "they do not know yet that the former one is gone, which harms nobody"


@pytest.mark.parametrize("even_if", [0, 2])
def test_the_address_where_the_server_is_is_never_taken_away(
    context: Context, change: Callable[..., tuple[ServerAddress, ...]], even_if: int
) -> None:
    """By `--finish` before it has moved, or with a wrong address; by `--cancel` when it has."""
    change(AddressChange(add=NEW))
    knows(context, ONE, TWO)
    with pytest.raises(UserError, match="server.toml has 127.0.0.1, .*, and PCs would not look there") as caught:
        change(FINISH, even_if=even_if)
    assert caught.value.kind is FaultKind.REFUSED
    is_at(context, NEW)
    with pytest.raises(UserError, match=r"server.toml has patches.example.com, .*, and PCs would not look there"):
        change(CANCEL)
    assert change(FINISH) == (NEW,)


def is_at(context: Context, address: ServerAddress) -> None:
    """Say in server.toml that the server is there."""
    settings = replace(
        context.settings(), address=address.host, web_port=address.web_port, origin_port=address.origin_port
    )
    write_settings(context.home, settings)


def test_somebody_may_decide_that_some_are_lost(
    context: Context, change: Callable[..., tuple[ServerAddress, ...]]
) -> None:
    change(AddressChange(add=NEW))
    with pytest.raises(UserError, match="2 of 2 PCs"):
        change(FINISH, even_if=1)
    is_at(context, NEW)
    assert change(FINISH, even_if=2) == (NEW,)


def test_a_move_that_is_not_to_be_is_taken_back(
    context: Context, change: Callable[..., tuple[ServerAddress, ...]]
) -> None:
    change(AddressChange(add=NEW))
    moving.leave_home(context, ADA)
    assert "patches.example.com, ports 8443 and 7690, on 2027-01-15" in moving.read_move(context, most=0).moved_to
    with context.database() as database:
        assert "has moved" in move_problems(context, database)[0].text
    assert change(CANCEL) == (OWN,)
    assert moving.read_move(context, most=0).moved_to == ""
    with pytest.raises(UserError, match="nothing to finish or to cancel"):
        change(CANCEL)


def test_a_home_that_was_left_too_late_is_taken_back_too(
    context: Context, change: Callable[..., tuple[ServerAddress, ...]]
) -> None:
    """The former address was taken away before the home was left: to go back is to tell PCs that one again."""
    change(AddressChange(add=NEW))
    knows(context, ONE, TWO)
    is_at(context, NEW)
    change(FINISH)
    is_at(context, OWN)
    moving.leave_home(context, ADA)
    assert change(CANCEL) == (OWN,)
    assert moving.read_move(context, most=0).moved_to == ""


def test_a_home_that_was_left_takes_no_changes_but_to_take_that_back(
    context: Context, change: Callable[..., tuple[ServerAddress, ...]]
) -> None:
    """They would reach no PC, and be missing where the server is."""
    change(AddressChange(add=NEW))
    moving.leave_home(context, ADA)
    keys = OfflineKeys(context.home.offline_keys)
    for changes in (
        lambda: change(AddressChange(add=ServerAddress("third.example.com", 8443, 7690))),
        lambda: change(FINISH, even_if=9),
        lambda: operations.make_token(context, ADA, uses=1, seconds=60),
        lambda: operations.renew(context, ADA, keys),
        lambda: endpoint_operations.deny(context, ADA, ONE),
    ):
        with pytest.raises(UserError, match=r"has moved: to patches.example.com.*reaches no PC") as caught:
            changes()
        assert caught.value.kind is FaultKind.REFUSED
    assert change(CANCEL) == (OWN,)
    operations.make_token(context, ADA, uses=1, seconds=60)


async def test_two_who_change_the_addresses_at_the_same_time_take_turns(
    context: Context, change: Callable[..., tuple[ServerAddress, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = ServerAddress("third.example.com", 8443, 7690)

    def slow(*given: Any) -> ServerList:
        result = changed_list(*given)
        time.sleep(0.3)
        return result

    monkeypatch.setattr(moving, "changed_list", slow)
    async with trio.open_nursery() as nursery:
        for address in (NEW, other):
            nursery.start_soon(trio.to_thread.run_sync, change, AddressChange(add=address))
    signed = context.repository().servers()
    assert signed is not None
    assert set(signed.addresses) == {OWN, NEW, other}


def test_the_number_of_a_list_is_given_once_also_by_a_server_that_was_set_back(
    context: Context, change: Callable[..., tuple[ServerAddress, ...]]
) -> None:
    clock = cast("FakeClock", context.clock)
    change(AddressChange(add=NEW))
    first = moving.read_move(context, most=0).number
    change(CANCEL)
    second = moving.read_move(context, most=0).number
    assert second > first >= clock.wall
    clock.wall += 1_000.0
    change(AddressChange(add=NEW))
    third = moving.read_move(context, most=0).number
    assert third > second + 900, "one that was restored from a backup of the first goes on above the second"


def test_nobody_leaves_a_home_that_serves_or_that_pcs_know_no_other_of(
    context: Context, change: Callable[..., tuple[ServerAddress, ...]]
) -> None:
    with pytest.raises(UserError, match="no other address"):
        moving.leave_home(context, ADA)
    change(AddressChange(add=NEW))
    with serve_lock(context.home, timeout_seconds=1.0).held(), pytest.raises(UserError, match="Stop it first"):
        moving.leave_home(context, ADA)
    assert moving.read_move(context, most=0).moved_to == ""


@pytest.mark.parametrize(
    ("new", "words"),
    [
        (OWN, "already"),
        (ServerAddress("224.0.0.1", 8443, 7690), "no address of one machine"),
        (ServerAddress("https://hq", 8443, 7690), "neither an IP address nor a host name"),
        (ServerAddress("hq", 8443, 8443), "both 8443"),
    ],
)
def test_what_pcs_cannot_reach_is_not_told(
    change: Callable[..., tuple[ServerAddress, ...]], new: ServerAddress, words: str
) -> None:
    with pytest.raises(UserError, match=words) as caught:
        change(AddressChange(add=new))
    assert caught.value.kind is FaultKind.BAD_INPUT


def test_one_address_is_one_however_it_is_written(change: Callable[..., tuple[ServerAddress, ...]]) -> None:
    change(AddressChange(add=NEW))
    for host in ("Patches.Example.COM", "patches.example.com."):
        with pytest.raises(UserError, match="already"):
            change(AddressChange(add=ServerAddress(host, 8443, 7690)))
    change(AddressChange(add=ServerAddress("2001:DB8:0:0::0007", 8443, 7690)))
    with pytest.raises(UserError, match="PCs are told 2001:db8::7.* already|already"):
        change(AddressChange(add=ServerAddress("2001:db8::7", 8443, 7690)))


def test_no_pc_is_led_to_itself(context: Context, change: Callable[..., tuple[ServerAddress, ...]]) -> None:
    is_at(context, ServerAddress("192.0.2.1", 8443, 7690))
    for host in ("127.0.0.1", "::1", "localhost"):
        with pytest.raises(UserError, match="leads each PC to itself") as caught:
            change(AddressChange(add=ServerAddress(host, 8443, 7690)))
        assert caught.value.kind is FaultKind.BAD_INPUT


def test_more_addresses_than_pcs_take_are_refused(change: Callable[..., tuple[ServerAddress, ...]]) -> None:
    for number in range(7):
        change(AddressChange(add=ServerAddress(f"hq-{number}", 8443, 7690)))
    with pytest.raises(UserError, match="as many as can be"):
        change(AddressChange(add=NEW))


def test_the_list_is_no_profile_of_a_site(context: Context, change: Callable[..., tuple[ServerAddress, ...]]) -> None:
    change(AddressChange(add=NEW))
    assert context.repository().profiles() == {}
    signed = context.repository().servers()
    assert signed is not None
    assert signed.addresses == (OWN, NEW)


def test_tokens_carry_the_addresses_and_those_for_release_0_2_0_one(
    context: Context, change: Callable[..., tuple[ServerAddress, ...]]
) -> None:
    def token(*, one_address: bool = False) -> Token:
        return operations.make_token(context, ADA, uses=1, seconds=60, one_address=one_address).token

    assert token().others == ()
    change(AddressChange(add=NEW))
    assert token().others == (TokenPlace(NEW.host, NEW.web_port),)
    assert token(one_address=True).others == ()
    for number in range(6):
        change(AddressChange(add=ServerAddress(f"{number}{'a' * 60}.{'b' * 63}.{'c' * 63}", 8443, 7690)))
    made = token()
    assert decode_token(encode_token(made)) == made
    assert 1 < len(made.others) < 7, "as many as fit"
