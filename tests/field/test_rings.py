"""PCs of a real repository take a patch when their ring is open, and neither before nor after it was stopped."""

from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.documents import RolloutEntry
from p2pdist.shared.manifest.staged import Approval, Hold, StagedEntry
from p2pdist.shared.wire.trust_news import decode_news
from seed_server.store.trust_news import BY_DIFFERENCES, TrustNewsReader
from tests.helpers.old_repository import manifest_of
from tests.helpers.ring_lab import DAY, NOBODY, NOW, Pc, People, Server, plan_of


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


async def all_see(pcs: list[Pc], ref: str = "acme@1") -> list[str]:
    return [await pc.sees(ref) for pc in pcs]


async def test_each_ring_takes_it_when_it_opens_and_all_of_them_when_it_is_complete(server: Server) -> None:
    lab, oslo, rome = Pc(server, 1, site="rome", tags=("lab",)), Pc(server, 2, site="oslo"), Pc(server, 3, site="rome")
    plant, pcs = Pc(server, 4, site="plant"), [lab, oslo, rome]
    plan = plan_of(server.publish())
    opened: tuple[int, ...] = ()
    assert await all_see(pcs) == ["not offered"] * 3
    server.stage(StagedEntry(1, plan, opened))
    assert await all_see(pcs) == ["NOT_OPEN"] * 3
    for wait, seen in ((0, ["taken", "NOT_OPEN", "NOT_OPEN"]), (3_600, ["taken", "taken", "NOT_OPEN"])):
        server.wait(wait)
        opened = (*opened, int(server.now))
        server.stage(StagedEntry(1, plan, opened))
        assert await all_see([*pcs, plant]) == [*seen, "IN_NO_RING"]
    server.stage(StagedEntry(1, plan, (*opened, int(server.now))))
    assert await rome.sees() == "SOAKING", "a server in a hurry"
    server.wait(DAY)
    assert await all_see([*pcs, plant]) == ["taken"] * 3 + ["IN_NO_RING"]
    server.stage(rollouts=replace(NOBODY, entries=[RolloutEntry("acme", "1", 1)]))
    assert await all_see([*pcs, plant]) == ["taken"] * 4


async def test_what_is_stopped_is_offered_to_nobody_with_the_reason(server: Server) -> None:
    lab, oslo = Pc(server, 1, site="rome", tags=("lab",)), Pc(server, 2, site="oslo")
    server.stage(StagedEntry(1, plan_of(server.publish()), (int(NOW),)))
    assert await all_see([lab, oslo]) == ["taken", "NOT_OPEN"]
    server.repository.withdraw_patch(PatchRef("acme", ""), "it crashes", patches_key=None, now=server.now)
    assert await all_see([lab, oslo]) == ["not offered"] * 2
    assert [one.reason for one in (await lab.refresh()).withdrawn] == ["it crashes"]


async def test_an_exception_holds_pcs_until_its_day_and_a_clock_set_back_does_not_prolong_it(server: Server) -> None:
    lab = Pc(server, 1, site="rome", tags=("lab",))
    entry = StagedEntry(1, plan_of(server.publish()), (int(NOW),))
    hold = Hold(1, "acme", 'site == "rome"', "a running order", "kim", int(NOW) + 7_200)
    server.stage(entry, holds=(hold,))
    assert await lab.sees() == "HELD"
    assert (await lab.refresh()).changes_at == NOW + 7_200
    server.wait(7_200)
    assert await lab.sees() == "taken"
    server.now -= 3_600
    assert await lab.sees() == "taken", "the signed metadata proves that the time has passed"


async def test_a_pc_waits_for_the_approvals_that_the_offline_key_wants(server: Server) -> None:
    people, lab = People(), Pc(server, 1, site="rome", tags=("lab",))
    server.names_approvers(people)
    plan = plan_of(server.publish())
    for approvals, seen in (
        ((), "NOT_APPROVED"),
        (people.approve(plan, "kim"), "NOT_APPROVED"),
        (people.approve(plan, "kim", "lee"), "taken"),
    ):
        server.stage(StagedEntry(1, plan, (int(NOW),), approvals))
        assert await lab.sees() == seen
    complete = StagedEntry(1, plan, (int(NOW),) * 3, people.approve(plan, "kim", "lee"))
    server.stage(complete, rollouts=replace(NOBODY, entries=[RolloutEntry("acme", "1", 1)]))
    assert await lab.sees() == "taken"


def test_a_changed_rollout_costs_a_pc_under_ten_kilobytes_beside_300_others(server: Server) -> None:
    draws = Random(5)
    entries = []
    for number in range(300):
        plan = plan_of(manifest_of(f"patch-{number}", "1.2.3", now=NOW), salt=draws.randbytes(16))
        approvals = tuple(Approval(name, 3, int(NOW), draws.randbytes(64)) for name in ("kim", "ito"))
        entries.append(StagedEntry(number + 1, plan, (int(NOW),), approvals))
    server.stage(*entries)
    known = server.repository.newest_timestamp().snapshot
    server.now += 3_600
    entries[150] = replace(entries[150], opened_at=(int(NOW), int(server.now)))
    server.stage(*entries)
    reader = TrustNewsReader(server.home.tuf_metadata, server.home.tuf_targets)
    news = reader.answer(1, known, BY_DIFFERENCES)
    assert news is not None
    assert len(news) < 10_000
    told = decode_news(news)
    assert any(path.endswith(".staged") for path in told.changed), "the difference, and not left to be asked for"


async def test_while_a_new_version_is_in_its_first_ring_the_others_get_the_one_before(server: Server) -> None:
    """However many newer ones are tried in rings: what PCs are offered may be installed, until one is for all."""
    lab, oslo = Pc(server, 1, site="rome", tags=("lab",)), Pc(server, 2, site="oslo")
    server.publish(at_once=True)
    assert await all_see([lab, oslo]) == ["taken"] * 2
    for number in (2, 3):
        newer = server.publish("acme", str(number))
        server.stage(StagedEntry(number, plan_of(newer), (int(NOW),)))
        assert await all_see([lab, oslo]) == ["not offered", "taken"]
        assert await all_see([lab, oslo], f"acme@{number}") == ["taken", "NOT_OPEN"]
    server.repository.withdraw_patch(PatchRef("acme", "3"), "it crashes", patches_key=None, now=server.now)
    assert await all_see([lab, oslo]) == ["taken", "taken"]
    server.publish("acme", "4", at_once=True)
    server.sign_anything(rollouts=replace(NOBODY, entries=[RolloutEntry("acme", "1", 1)]))
    assert await all_see([lab, oslo]) == ["not offered"] * 2, "the newest for all is the lowest"
