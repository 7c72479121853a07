"""What the origin port serves, counts, announces and writes down."""

from pathlib import Path

import pytest
import trio
import trio.testing

from p2pdist.shared.manifest.template import MAX_TEMPLATES
from p2pdist.shared.wire.fields import MAX_NEWS_MESSAGE_BYTES
from p2pdist.shared.wire.messages import (
    Diagnosis,
    DiagnosisAnswer,
    FactsChanged,
    Helping,
    News,
    NewsWanted,
    PatchReport,
    Report,
    RepositoryChanged,
    SitePeer,
    SitePeers,
    Unavailable,
)
from p2pdist.shared.wire.neighbours_seen import NeighbourSeen, NeighboursSeen
from p2pdist.shared.wire.pc_findings import PcFindings
from seed_server.store.trust_news import NewsForm
from tests.helpers.origin_endpoint import unknown_want
from tests.helpers.origin_harness import Lab, fetch, running_lab
from tests.helpers.stored_rows import all_reports


class TestServing:
    async def test_every_piece_once_for_the_site_and_the_bytes_are_counted(self, lab: Lab) -> None:
        patch = await lab.publish(5)
        first, second = await lab.endpoint(), await lab.endpoint()
        await first.want(patch)
        assert await fetch(lab, first, patch, 5) == [0, 1, 2, 3, 4]
        await second.want(patch)
        with trio.move_on_after(0.2) as nothing_comes:
            await second.data.receive()
        assert nothing_comes.cancelled_caught
        await lab.server._records.flush()
        assert lab.database.wan_bytes() == {(first.welcome.site, patch.torrent_hash): patch.length_bytes}

    async def test_what_one_has_that_serves_nobody_from_now_on_goes_to_another_at_once(self, lab: Lab) -> None:
        patch = await lab.publish(5)
        refusing, other = await lab.endpoint(), await lab.endpoint()
        await refusing.want(patch)
        assert await fetch(lab, refusing, patch, 5) == [0, 1, 2, 3, 4]
        await other.want(patch, lan_have=0b11111)
        await refusing.control.send(Helping(how="less"))
        with trio.move_on_after(0.2) as nothing_comes:
            await other.data.receive()
        assert nothing_comes.cancelled_caught, "less is not nothing"
        await refusing.control.send(Helping(how="none"))
        said_at = trio.current_time()
        await other.data.receive()
        assert trio.current_time() - said_at < 0.9, "it need not ask again, which it does once a second"

    async def test_a_pc_that_has_nothing_to_do_is_one_task_and_is_still_told_all(self, lab: Lab) -> None:
        def tasks() -> int:
            return trio.lowlevel.current_statistics().tasks_living

        before = tasks()
        controls = [(await lab.control(lab.identity()))[0] for _ in range(3)]
        with trio.fail_after(2.0):
            while tasks() > before + len(controls):  # noqa: ASYNC110 - welcome and ping are being sent
                await trio.sleep(0.01)
        for version in (71, 72):
            await lab.server.repository_changed(version)
            for control in controls:
                assert (await control.expect(RepositoryChanged)).timestamp_version == version

    async def test_patch_is_served_even_if_its_notice_comes_later(self, lab: Lab) -> None:
        endpoint = await lab.endpoint()
        patch = await lab.publish(1, announce=False)
        await endpoint.want(patch)
        assert await fetch(lab, endpoint, patch, 1) == [0]

    async def test_publication_is_announced_at_once(self, lab: Lab) -> None:
        endpoint = await lab.endpoint()
        await lab.server.repository_changed(7)
        assert (await endpoint.control.expect(RepositoryChanged)).timestamp_version == 7
        assert (await lab.endpoint()).welcome.timestamp_version == 7

    async def test_what_is_new_is_told_to_whoever_asks(self, tmp_path: Path) -> None:
        asked: list[tuple[int, int]] = []

        def find(root: int, snapshot: int, form: NewsForm) -> bytes | None:
            asked.append((root, snapshot))
            if snapshot == 3:
                raise OSError("the disk is gone")
            return {1: b"new", 2: bytes(MAX_NEWS_MESSAGE_BYTES + 1), 5: bytes(MAX_NEWS_MESSAGE_BYTES)}.get(snapshot)

        async with running_lab(tmp_path, find_news=find) as lab:
            endpoint = await lab.endpoint()
            answers = []
            for snapshot in (1, 2, 3, 4, 5):
                await endpoint.control.send(NewsWanted(root=7, snapshot=snapshot))
                answers.append((await endpoint.control.expect(News)).files)
        assert answers == [b"new", b"", b"", b"", bytes(MAX_NEWS_MESSAGE_BYTES)]
        assert asked == [(7, 1), (7, 2), (7, 3), (7, 4), (7, 5)]

    @pytest.mark.parametrize("features", [[], ["changed_news"]])
    async def test_who_says_that_it_makes_files_of_older_ones_is_told_differences(
        self, tmp_path: Path, features: list[str]
    ) -> None:
        async with running_lab(tmp_path, find_news=lambda _, __, form: b"%d" % form.differences) as lab:
            endpoint = await lab.endpoint(features=features)
            await endpoint.control.send(NewsWanted(root=7, snapshot=1))
            assert (await endpoint.control.expect(News)).files == (b"1" if features else b"0")

    async def test_neighbours_learn_of_each_other_and_of_departures(self, lab: Lab) -> None:
        patch, first = await lab.publish(1), await lab.endpoint()
        assert await first.control.expect(SitePeers) == SitePeers(anew=True, joined=[], left=[])
        await first.want(patch, can_fetch=False)  # who lacks nothing need not hear of others at once
        await trio.testing.wait_all_tasks_blocked(0.05)
        second = await lab.endpoint()
        known = [await endpoint.control.expect(SitePeers) for endpoint in (first, second)]
        peers = [
            SitePeer(endpoint_id=each.identity.endpoint, address=each.identity.local_address, port=7691)
            for each in (first, second)
        ]
        assert known == [
            SitePeers(anew=False, joined=[peers[1]], left=[]),
            SitePeers(anew=True, joined=[peers[0]], left=[]),
        ]
        await second.aclose()
        assert await first.control.expect(SitePeers) == SitePeers(
            anew=False, joined=[], left=[second.identity.endpoint]
        )
        # who comes again begins anew
        again = await lab.endpoint(second.identity)
        assert await again.control.expect(SitePeers) == known[1]

    async def test_sites_do_not_learn_of_each_other(self, tmp_path: Path) -> None:
        sites = '[[site]]\nname = "a"\nnetworks = ["127.0.8.2/32"]\n[[site]]\nname = "b"\nnetworks = ["127.0.8.3/32"]\n'
        async with running_lab(tmp_path, sites=sites) as lab:
            a, b = await lab.endpoint(), await lab.endpoint()
            assert (a.welcome.site, b.welcome.site) == ("a", "b")
            assert (await a.control.expect(SitePeers)).joined == []
            assert (await b.control.expect(SitePeers)).joined == []
            patch = await lab.publish(2)
            for endpoint in (a, b):
                await endpoint.want(patch)
                assert await fetch(lab, endpoint, patch, 2) == [0, 1]

    async def test_reports_and_presence_reach_the_database(self, lab: Lab) -> None:
        patch = await lab.publish(1)
        endpoint = await lab.endpoint()
        report = PatchReport(
            patch_id=patch.patch_id,
            version=patch.version,
            state="verified",
            progress=1.0,
            bytes_from_origin=5,
            bytes_from_peers=6,
            bytes_wasted=0,
            seconds=2.0,
            error="",
            install="waiting",
            install_reason="window at 22:00",
        )
        await endpoint.control.send(Report(patches=[report], refuses=""))
        lab.server.replace_templates({"december"})
        answer = DiagnosisAnswer(label="old openssl", applies=True, needed=True, reason="openssl 3.0.11 < 3.0.17")
        await endpoint.control.send(Diagnosis(template="december", answers=(answer,)))
        await endpoint.control.send(FactsChanged(values={"os.family": "debian", "ram_mb": 16_000, "moon": "full"}))
        await endpoint.control.send(PcFindings(codes=("vpn", "moon", "clock")))
        seen = NeighbourSeen("52:54:00:12:34:56", "10.0.0.7")
        await endpoint.control.send(NeighboursSeen(own=("52:54:00:00:00:01",), seen=(seen,)))
        for number in range(2 * MAX_TEMPLATES):  # a flood of what nobody has asked is not even kept
            await endpoint.control.send(Diagnosis(template=f"made-up-{number}", answers=(answer,)))
        # the answer to a Want shows that what came before it has been handled
        await endpoint.control.send(unknown_want())
        await endpoint.control.expect(Unavailable)
        await lab.server._records.flush()
        assert [(r.endpoint_id, r.state, r.install, r.install_reason) for r in all_reports(lab.database)] == [
            (endpoint.identity.endpoint, "verified", "waiting", "window at 22:00")
        ]
        facts = {"os.family": "debian", "ram_mb": 16_000}
        site = lab.database.site_number(lab.database.endpoints()[0].site)
        assert site is not None
        assert sorted(lab.database.site_health(site, 0.0).findings) == ["clock", "vpn"]
        assert [(row.card, row.seen_by) for row in lab.database.unmanaged(site, 9)] == [(seen.card, 1)]
        assert lab.database.told_facts() == {endpoint.identity.endpoint: facts}
        assert [(r.endpoint_id, r.label, r.needed, r.reason) for r in lab.database.diagnoses("december")] == [
            (endpoint.identity.endpoint, "old openssl", True, "openssl 3.0.11 < 3.0.17")
        ]
        assert lab.database.diagnoses("made-up-0") == []
        row = lab.database.endpoint(endpoint.identity.endpoint)
        assert row is not None
        assert (row.connected, row.site, row.address) == (True, endpoint.welcome.site, endpoint.identity.local_address)

    async def test_unknown_torrent_is_unavailable_and_nothing_else_suffers(self, lab: Lab) -> None:
        endpoint = await lab.endpoint()
        await endpoint.control.send(unknown_want())
        assert "not published" in (await endpoint.control.expect(Unavailable)).reason
        await lab.still_serves()
