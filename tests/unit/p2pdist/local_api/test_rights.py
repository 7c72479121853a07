"""`p2pdist.local_api.rights`: who may ask, and what the others are told."""

import os
import shutil
import subprocess
import sys
import threading

import pytest
import trio

from p2pdist.local_api import rights as rights_module
from p2pdist.local_api.peer import LocalPeer
from p2pdist.local_api.polkit import PolkitAnswer
from p2pdist.local_api.rights import UsersGroup, UsersRights, sits_at_this_pc

GROUP = 61_100
STRANGER = LocalPeer(1, 61_002, frozenset({61_002}))
MEMBER = LocalPeer(1, 61_001, frozenset({5, GROUP}))


class SaysPolkit:
    def __init__(self, answer: PolkitAnswer) -> None:
        self.answer = answer

    async def decides(self, peer: LocalPeer) -> PolkitAnswer:
        assert peer.uid != 0, "root needs nobody's leave"
        return self.answer


def rights(
    answer: PolkitAnswer = PolkitAnswer.NOT_THERE, *, seat: bool = False, number: int | None = GROUP
) -> UsersRights:
    group = UsersGroup("p2pdist-users")
    group.number = number
    return UsersRights(group, at_seat=lambda _: seat, polkit=SaysPolkit(answer))  # type: ignore[arg-type]


async def test_root_and_the_daemon_s_own_user_are_answered() -> None:
    for uid in (0, os.geteuid()):
        assert await rights().refusal(LocalPeer(1, uid, frozenset())) == ""


@pytest.mark.parametrize("answer", PolkitAnswer)
async def test_a_member_needs_no_polkit(answer: PolkitAnswer) -> None:
    assert await rights(answer).refusal(MEMBER) == ""


@pytest.mark.parametrize(
    ("answer", "seat", "may"),
    [
        (PolkitAnswer.YES, False, True),
        (PolkitAnswer.NO, True, False),
        (PolkitAnswer.SILENT, True, False),
        (PolkitAnswer.NOT_THERE, True, True),
        (PolkitAnswer.NOT_THERE, False, False),
    ],
)
async def test_polkit_decides_where_it_is_there_and_logind_elsewhere(
    answer: PolkitAnswer, seat: bool, may: bool
) -> None:
    assert (await rights(answer, seat=seat).refusal(STRANGER) == "") is may


async def test_with_the_seat_switched_off_polkit_is_not_asked() -> None:
    off = UsersRights(rights().group, at_seat=None, polkit=SaysPolkit(PolkitAnswer.YES))  # type: ignore[arg-type]
    assert await off.refusal(STRANGER)


async def test_a_refusal_says_what_to_do() -> None:
    assert "add you to the group p2pdist-users, and log in again" in await rights().refusal(STRANGER)
    assert "has no group p2pdist-users" in await rights(number=None).refusal(MEMBER)
    assert "too many groups" in await rights().refusal(LocalPeer(1, 61_001, None))
    assert "does not answer. Ask again" in await rights(PolkitAnswer.SILENT).refusal(STRANGER)
    assert "Only who sits at this PC" in await UsersRights(UsersGroup(""), lambda _: False).refusal(STRANGER)


async def test_a_group_that_is_made_later_is_found_and_a_look_that_hangs_stops_nobody() -> None:
    hangs = threading.Event()
    seen: list[int | None] = []

    def find(_name: str) -> int | None:
        seen.append(group.number)
        if len(seen) == 3:
            hangs.wait(10)
        return (None, GROUP, 7)[len(seen) - 1]

    group = UsersGroup("p2pdist-users", find, look_seconds=0.0)
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(group.run)
            while len(seen) < 3:  # noqa: ASYNC110 - in another thread
                await trio.sleep(0.001)
            assert group.number == GROUP, "as it was seen last"
            nursery.cancel_scope.cancel()
    hangs.set()
    assert seen == [None, None, GROUP]


def test_groups_are_found_by_name() -> None:
    find = UsersGroup("root")._find
    assert find("root") == 0
    assert find("no-such-group-here") is None


LOGIND = """
mkdir -p /run/systemd/users && mount -t tmpfs none /run && mkdir -p /run/systemd/users
printf 'NAME=ann\\nSTATE=active\\nSEATS=seat0\\nACTIVE_SEATS=seat0\\n' > /run/systemd/users/61001
printf 'NAME=bob\\nSTATE=online\\nSEATS=seat0\\nACTIVE_SEATS=\\n' > /run/systemd/users/61002
printf 'NAME=eve\\nSTATE=active\\nSEATS=\\nACTIVE_SEATS=\\n' > /run/systemd/users/61003
exec "$0" -c 'from p2pdist.local_api.rights import sits_at_this_pc as sits
print([uid for uid in range(61001, 61005) if sits(uid)])'
"""


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare"), reason="only root gets a /run of its own, with unshare"
)
def test_who_sits_here_is_who_is_active_at_a_seat() -> None:
    """Not who is logged in behind another's screen, nor who came over the network."""
    assert not sits_at_this_pc(61_001)
    if not _has_libsystemd():
        pytest.skip("libsystemd is not installed: nobody is known to sit here")
    ended = subprocess.run(
        ["unshare", "--mount", "sh", "-c", LOGIND, sys.executable], check=False, capture_output=True, text=True
    )
    assert ended.stdout == "[61001]\n", ended.stderr


def _has_libsystemd() -> bool:
    return rights_module._libsystemd() is not None
