"""What is withdrawn leaves the origin port at once: nobody is sent it, not even the rest of a piece."""

from collections.abc import Iterable
from pathlib import Path

import trio

from p2pdist.shared.manifest.documents import RolloutEntry, Rollouts, Withdrawal
from p2pdist.shared.wire.messages import PieceStored, RepositoryChanged, Unavailable
from seed_server.store.database import ServedPayload
from tests.helpers.origin_harness import Lab, fetch, running_lab

SLOW_LINE = '[[site]]\nname = "branch"\nnetworks = ["127.0.8.0/24"]\nline_mbit = 0.2\n'  # a piece takes two seconds


def offers(*offered: ServedPayload, gone: Iterable[ServedPayload] = ()) -> Rollouts:
    entries = [RolloutEntry(one.patch_id, one.version, one.sequence) for one in offered]
    withdrawn = tuple(Withdrawal(one.patch_id, one.version, one.sequence, reason="crashes", at=1) for one in gone)
    return Rollouts(format=1, entries=entries, withdrawn=withdrawn)


async def test_nobody_is_sent_it_until_it_is_offered_again(lab: Lab) -> None:
    patch, other = await lab.publish(40), await lab.publish(2, sequence=2)
    endpoint = await lab.endpoint()
    await endpoint.want(patch)
    first = await fetch(lab, endpoint, patch, 1)
    lab.server.replace_rollouts(offers(other, gone=(patch,)))
    await lab.server.repository_changed(3)
    await endpoint.control.expect(RepositoryChanged)
    newcomer = await lab.endpoint()
    await newcomer.want(patch)
    unavailable = await newcomer.control.expect(Unavailable)
    assert (unavailable.torrent, unavailable.reason) == (patch.torrent_hash, "not published here")
    await newcomer.want(other)
    assert sorted(await fetch(lab, newcomer, other, 2)) == [0, 1]
    newcomer.have = 0
    lab.server.replace_rollouts(offers(patch, other))
    await lab.server.repository_changed(4)
    await endpoint.aclose()
    await newcomer.want(patch)
    assert await fetch(lab, newcomer, patch, 1)
    assert first


async def test_the_rest_of_a_piece_under_way_is_not_sent(tmp_path: Path) -> None:
    async with running_lab(tmp_path, sites=SLOW_LINE) as lab:
        patch = await lab.publish(3)
        endpoint = await lab.endpoint()
        await endpoint.want(patch)
        session = lab.server._fleet.session(endpoint.identity.endpoint)
        assert session is not None
        while (link := session[0].link) is None or not link.written_bytes > 0:  # noqa: ASYNC110 - nothing tells
            await trio.sleep(0.01)
        lab.server.replace_rollouts(offers(gone=(patch,)))
        await lab.server.repository_changed(2)
        with trio.fail_after(1.5):
            while link.ending.reason is None:  # noqa: ASYNC110
                await trio.sleep(0.01)
        assert "has just been withdrawn" in link.ending.reason
        assert link.written_bytes < 64 << 10


async def test_the_same_bytes_are_sent_as_long_as_one_patch_that_has_them_is_offered(lab: Lab) -> None:
    patch = await lab.publish(2)
    twin = type(patch)(**{name: getattr(patch, name) for name in patch.__struct_fields__} | {"patch_id": "twin"})
    lab.database.add_patch(twin)
    lab.server.replace_rollouts(offers(twin, gone=(patch,)))
    await lab.server.repository_changed(2)
    endpoint = await lab.endpoint()
    await endpoint.want(patch)
    (first,) = await fetch(lab, endpoint, patch, 1)
    await endpoint.control.send(PieceStored(torrent=patch.torrent_hash, piece=first))
    lab.server.replace_rollouts(offers(gone=(patch, twin)))
    await lab.server.repository_changed(3)
    newcomer = await lab.endpoint()
    await newcomer.want(patch)
    assert (await newcomer.control.expect(Unavailable)).torrent == patch.torrent_hash
