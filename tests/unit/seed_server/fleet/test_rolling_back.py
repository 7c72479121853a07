"""`seed_server.fleet.rolling_back`: from where it is asked for, or prepared for other signers, to what PCs read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.wire.messages import PatchReport
from seed_server.fleet import operations, preparing, rolling_back, rollout_queries, taking_back
from seed_server.fleet import rollout_operations as rollouts
from seed_server.fleet.rollout import RolloutState
from seed_server.fleet.way_back import GoneBack, read_ways_back
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.bundle import read_bundle, write_bundle
from seed_server.signing.bundle_check import check_bundle
from seed_server.signing.key_files import OfflineKeys
from seed_server.store.rows import SeenRow
from tests.helpers.ring_lab import Pc
from tests.helpers.rollout_company import ADA, BEGIN, OTHERS, REF, TEMPLATE, TESTERS
from tests.unit.seed_server.fleet.test_operation import somebody
from tests.unit.seed_server.fleet.test_taking_back import Office, office, published

__all__ = ["office", "published"]  # fixtures


def say(office: Office, said: Mapping[str, tuple[Any, str]], version: str = "1") -> None:
    """Have PCs report an installation's state, and why it is so."""
    reports: Any = {
        name: [
            PatchReport(
                patch_id="office", version=version, state="waiting", progress=0.0, bytes_from_origin=0,
                bytes_from_peers=0, seconds=1.0, bytes_wasted=0, error="", install=install, install_reason=reason,
            )
        ]
        for name, (install, reason) in said.items()
    }  # fmt: skip
    office.database.save_reports(reports, office.clock.now())


async def recalled_on(pc: Pc, *refs: str) -> list[str]:
    """Return which of what is installed there goes back, with the reason."""
    pc.store.installed = frozenset(PatchRef(*ref.split("@")) for ref in refs)
    return [f"{one.ref}: {one.recall.reason}" for one in (await pc.refresh()).recalled]


async def test_pcs_go_back_from_that_publication_alone_until_a_newer_one_is_there(office: Office) -> None:
    office.clock.wall += 60.0
    office.publish("2")
    taken = rolling_back.roll_back(office.context, ADA, "office", "loses data", office.keys)
    assert list(map(str, taken.patches)) == ["office@2"]
    pc = office.pc(1)
    assert await recalled_on(pc, "office@1", "office@2") == ["office@2: loses data"]
    assert await pc.sees("office@2") == "not offered"
    with pytest.raises(UserError, match="cannot be offered again"):
        operations.offer(office.context, ADA, "office@2")
    office.clock.wall += 60.0
    office.publish("3")
    assert await recalled_on(office.pc(3), "office@2") == []
    assert office.repository.recalls().recalls == ()


async def test_what_was_withdrawn_before_goes_back_later_when_the_keys_are_here(office: Office) -> None:
    operations.withdraw(office.context, ADA, "office", "loses data", office.keys)
    rolling_back.roll_back(office.context, ADA, "office", "loses data", office.keys)
    assert await recalled_on(office.pc(1), "office@1") == ["office@1: loses data"]


async def test_at_a_site_alone_it_goes_back_there_and_is_not_offered_there_again(office: Office) -> None:
    rolling_back.roll_back(office.context, ADA, "office", "loses data", office.keys, site="osaka")
    here, there = office.pc(1), office.pc(2, site="oslo")
    assert await recalled_on(here, "office@1") == ["office@1: loses data"]
    assert (await recalled_on(there, "office@1"), await there.sees("office@1")) == ([], "taken")
    with pytest.raises(UserError, match="none of them installs it again"):
        taking_back.offer_at_site(office.context, ADA, "office", "osaka")


def test_nothing_changes_without_the_offline_key(office: Office, tmp_path: Path) -> None:
    office.start()
    strange = ServerHome(tmp_path / "other")
    initialise(strange, ServerSettings(name="hq", address="127.0.0.1"), passphrase=None, now=BEGIN)
    with pytest.raises(UserError, match="key"):
        rolling_back.roll_back(office.context, ADA, "office", "x", OfflineKeys(strange.offline_keys, None))
    assert office.rollout().progress.state is RolloutState.RUNNING
    assert office.repository.recalls().recalls == ()


async def test_a_ring_goes_back_with_those_after_it_and_those_before_keep_it(office: Office) -> None:
    office.both_open()
    taken = rolling_back.roll_back(office.context, ADA, "office", "loses data", office.keys, ring="all")
    assert (taken.rollout, taken.rings) == (1, ("all",))
    tester, other = office.pc(1, tags=("test",)), office.pc(2)
    assert await recalled_on(tester, "office@1") == []
    assert await recalled_on(other, "office@1") == ["office@1: loses data"]
    assert [await tester.sees("office@1"), await other.sees("office@1")] == ["taken", "not offered"]
    assert office.look().progress.state is RolloutState.PAUSED
    with pytest.raises(UserError, match="none of them installs office@1 again"):
        rollouts.resume_rollout(office.context, ADA, 1)
    with pytest.raises(UserError, match="has no ring 'broad'"):
        rolling_back.roll_back(office.context, ADA, "office", "loses data", office.keys, ring="broad")


async def test_a_ring_goes_back_after_its_rollout_is_over_too(office: Office) -> None:
    with pytest.raises(UserError, match="office@1 never went by rings"):
        rolling_back.roll_back(office.context, ADA, "office", "loses data", office.keys, ring="all")
    office.both_open()
    rollouts.abort_rollout(office.context, ADA, 1, "no more")
    taken = rolling_back.roll_back(office.context, ADA, "office@1", "loses data", office.keys, ring="all")
    assert (taken.rollout, taken.rings) == (None, ("all",))
    assert await recalled_on(office.pc(2), "office@1") == ["office@1: loses data"]


def test_who_goes_back_at_a_site_halts_no_rollout_elsewhere(office: Office) -> None:
    office.both_open()
    oslo = dict.fromkeys(OTHERS[:4], SeenRow("oslo", "10.0.1.1", "p2pdist/1", True, office.clock.now()))
    office.database.save_seen(oslo)
    say(office, dict.fromkeys(OTHERS[:5], ("installed", "")))
    office.look()
    rolling_back.roll_back(office.context, ADA, "office", "loses data", office.keys, site="oslo")
    say(office, dict.fromkeys(OTHERS[:4], ("rolled_back", "recalled: loses data")))
    assert office.look().progress.state is RolloutState.RUNNING
    say(office, {OTHERS[4]: ("failed", "exit code 1"), OTHERS[5]: ("failed", "exit code 1")})
    assert office.look().progress.state is RolloutState.HALTED


@pytest.mark.parametrize("where", [{}, {"site": "osaka"}, {"ring": "all"}])
async def test_it_is_prepared_here_and_signed_elsewhere(office: Office, tmp_path: Path, where: dict[str, str]) -> None:
    office.both_open()
    file, pc, right = tmp_path / "back.bundle", office.pc(2), somebody("look", "withdraw")
    made = preparing.prepare_roll_back(office.context, right, "office", "loses data", file, **where)
    assert await recalled_on(pc, "office@1") == [], "nothing is in force yet"
    assert await pc.sees("office@1") == "taken"
    root = office.repository.trusted_root().encode()
    signed = check_bundle(read_bundle(file), root, office.clock.now()).sign({"patches": office.keys.load("patches")})
    write_bundle(file, signed)
    for other in somebody("look", "publish"), somebody("look", "keys"):
        with pytest.raises(UserError, match="the right 'withdraw' is missing"):
            preparing.finish(office.context, other, file)
    assert preparing.finish(office.context, right, file).bundle.bundle_id == made.bundle_id
    assert await recalled_on(pc, "office@1") == ["office@1: loses data"]
    assert await pc.sees("office@1") == "not offered"
    state, tester = office.look().progress.state, office.pc(1, site="oslo", tags=("test",))
    expected = {(): RolloutState.ABORTED, ("site",): RolloutState.RUNNING, ("ring",): RolloutState.PAUSED}
    assert state is expected[tuple(where)]
    assert await tester.sees("office@1") == ("taken" if where else "not offered")


def test_how_many_went_back_and_who_cannot_is_counted(office: Office) -> None:
    for name, words in {
        OTHERS[0]: ("rolled_back", "recalled: loses data"),
        OTHERS[1]: ("installed", "recalled: loses data"),
        OTHERS[2]: ("installed", "recalled: loses data; it was here already"),
        OTHERS[3]: ("not_applicable", "withdrawn: loses data"),
        OTHERS[4]: ("installed", ""),
        OTHERS[5]: ("failed", "exit code 1"),
    }.items():
        say(office, {name: words})
    office.seen(OTHERS[4:5], connected=False)
    assert read_ways_back(office.context) == {}
    rolling_back.roll_back(office.context, ADA, "office", "loses data", office.keys)
    cannot = {"it was here already": 1}
    # nothing serves here, so nobody is connected
    assert read_ways_back(office.context, [REF]) == {REF: GoneBack(1, 0, 2, cannot)}
    assert read_ways_back(office.context, [PatchRef("word", "1")]) == {}


def test_only_those_are_counted_that_are_to_go_back(office: Office) -> None:
    office.both_open()
    say(office, dict.fromkeys((*TESTERS, *OTHERS[:2]), ("installed", "")))
    rolling_back.roll_back(office.context, ADA, "office", "loses data", office.keys, ring="all")
    assert read_ways_back(office.context) == {REF: GoneBack(away=2)}
    view = rollout_queries.read_rollout(office.context, 1)
    assert (view.back, [tally.installed for tally in view.tallies]) == (GoneBack(away=2), [3, 2])


def test_who_has_a_newer_version_since_has_installed_it_and_who_lost_its_bytes_waits(office: Office) -> None:
    office.both_open()
    say(office, dict.fromkeys(OTHERS[:3], ("installed", "")))
    operations.withdraw(office.context, ADA, "office", "loses data")
    say(office, {OTHERS[0]: ("not_applicable", "replaced: office@2 is installed")})
    say(office, {OTHERS[3]: ("not_applicable", "withdrawn: loses data")})
    say(office, {OTHERS[4]: ("not_applicable", "not applicable: no kiosk")})
    view = rollout_queries.read_rollout(office.context, 1)
    tally = view.tallies[1]
    assert (tally.installed, tally.not_applicable, tally.waiting, view.replaced) == (3, 1, 3, 1)


@pytest.mark.parametrize("way", ["for good", "roll back"])
async def test_what_is_for_rings_goes_for_good_and_the_others_install_what_they_are_offered(
    office: Office, way: str
) -> None:
    office.clock.wall += 60.0
    office.publish("2", offered=False)
    rollouts.start_rollout(office.context, ADA, "office@2", TEMPLATE)
    office.look(0.0)
    tester, other = office.pc(1, tags=("test",)), office.pc(2)
    assert [await tester.sees("office@2"), await other.sees("office@1")] == ["taken", "taken"]
    if way == "for good":
        operations.withdraw(office.context, ADA, "office@2", "loses data", office.keys)
    else:
        rolling_back.roll_back(office.context, ADA, "office@2", "loses data", office.keys)
    assert [await tester.sees("office@2"), await other.sees("office@1")] == ["not offered", "taken"]
    assert office.repository.publication_order().refusal("office", 2) == "it was withdrawn for good"
    assert await recalled_on(tester, "office@2") == ([] if way == "for good" else ["office@2: loses data"])
    with pytest.raises(UserError, match="Publish it again"):
        rollouts.start_rollout(office.context, ADA, "office@2", TEMPLATE)
