"""`p2pdist.local_api.users_socket`, `peer`: a real socket, asked by who has really become another user."""

import contextlib
import json
import os
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from p2pdist.local_api import users_socket
from p2pdist.local_api.delivery_answers import WhyAnswer
from p2pdist.local_api.install_answers import Accepted, Deferred
from p2pdist.local_api.messages import DEFER, RETRY, WHY, DeferOrder, PatchOrder
from p2pdist.local_api.peer import peer_of
from p2pdist.local_api.rights import UsersGroup, UsersRights
from p2pdist.local_api.socket import answers, ask_daemon, carries_out, serve_local_socket
from p2pdist.local_api.users_socket import (
    MAX_CONNECTIONS_OF_A_USER,
    UsersSocketError,
    serve_users_socket,
)
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.wire.frames import encode_frame

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become other users")

MEMBER, STRANGER, SITTING = 61_001, 61_002, 61_003
GROUP = 61_100
ANSWER = b'{"patches":[]}'
RIGHTS = UsersRights(UsersGroup("p2pdist-users", find=lambda _: GROUP), at_seat=lambda uid: uid == SITTING)


async def _deferred(order: DeferOrder) -> Deferred:
    return Deferred(order.patch, "1", until=1.0, deferrals_left=0)


async def _retried(order: PatchOrder) -> Accepted:
    return Accepted(order.patch, "1")


HANDLERS = [answers(WHY, lambda: WhyAnswer([])), carries_out(DEFER, _deferred), carries_out(RETRY, _retried)]


@asynccontextmanager
async def daemon(folder: Path, rights: UsersRights = RIGHTS) -> AsyncIterator[Path]:
    for parent in (folder, *folder.parents):
        if parent.stat().st_uid == os.geteuid() and not parent.stat().st_mode & 0o1000:
            parent.chmod(parent.stat().st_mode | 0o055)  # pytest's own folders are closed
    path = folder / "run" / "users.sock"
    async with serve_users_socket(path, HANDLERS, rights):
        with trio.fail_after(5):
            while rights.group.name and rights.group.number is None:  # noqa: ASYNC110 - nobody else wants to know it
                await trio.sleep(0.001)
        yield path


@contextmanager
def becoming(uid: int, gid: int | None = None, groups: tuple[int, ...] = ()) -> Iterator[None]:
    """Be this user; a connection is of who made it, whoever uses it later."""
    before = os.getgroups()
    os.setgroups(groups)
    os.setegid(uid if gid is None else gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)


async def said(
    path: Path,
    request: str = "why",
    *,
    uid: int,
    gid: int | None = None,
    groups: tuple[int, ...] = (),
    raw: bytes | None = None,
) -> bytes:
    """Return the body of what ``path`` answers this user; empty: nothing."""
    frame = encode_frame(request.encode(), max_bytes=2_000) if raw is None else raw
    with socket.socket(socket.AF_UNIX) as connection:
        connection.setblocking(False)
        for _ in range(1_000):
            with contextlib.suppress(BlockingIOError), becoming(uid, gid, groups):
                connection.connect(str(path))
                break
            await trio.sleep(0.005)  # the queue is full
        connection.settimeout(5)  # a daemon that has ended is a failure, and no hang

        def ask() -> bytes:
            heard = b""
            with contextlib.suppress(OSError):
                connection.sendall(frame)
                connection.shutdown(socket.SHUT_WR)
            with contextlib.suppress(OSError):  # turned away with a request that nobody has read
                while data := connection.recv(65_536):
                    heard += data
            return heard[4:]

        return await trio.to_thread.run_sync(ask)


async def test_members_of_the_group_and_who_sits_here_are_answered_and_nobody_else(tmp_path: Path) -> None:
    async with daemon(tmp_path) as path:
        assert await said(path, uid=MEMBER, groups=(7, GROUP)) == ANSWER
        assert await said(path, uid=MEMBER, gid=GROUP) == ANSWER
        assert await said(path, uid=SITTING) == ANSWER
        refused = json.loads(await said(path, uid=STRANGER, groups=(7, 8)))
        assert refused["kind"] == "refused"
        assert "Ask your administrator to add you to the group p2pdist-users" in refused["refused"]
        assert await said(path, uid=0) == ANSWER


async def test_a_user_in_more_groups_than_can_be_read_is_a_stranger(tmp_path: Path) -> None:
    async with daemon(tmp_path) as path:
        words = await said(path, uid=MEMBER, groups=(GROUP, *range(1_000, 1_300)))
        assert b"too many groups" in words
        assert await said(path, uid=MEMBER, groups=(GROUP, *range(1_000, 1_250))) == ANSWER


async def test_users_may_put_off_and_never_what_is_root_s(tmp_path: Path) -> None:
    async with daemon(tmp_path) as path:
        deferred = await said(path, 'defer {"patch":"a"}', uid=MEMBER, groups=(GROUP,))
        assert json.loads(deferred)["until"] == 1.0
        for uid in (MEMBER, STRANGER, SITTING, 0):
            refused = json.loads(await said(path, 'retry {"patch":"a"}', uid=uid, groups=(GROUP,)))
            assert "Only root may use 'retry'" in refused["refused"]
        assert b"does not know" in await said(path, "install", uid=MEMBER, groups=(GROUP,))


async def test_without_group_and_seat_nobody_is_answered(tmp_path: Path) -> None:
    nobody = UsersRights(UsersGroup("", find=lambda _: GROUP), at_seat=None)
    async with daemon(tmp_path, nobody) as path:
        assert b"refused" in await said(path, uid=MEMBER, groups=(GROUP,))
        assert b"refused" in await said(path, uid=SITTING)


async def test_who_is_one_too_many_and_has_gone_before_that_is_said_ends_nothing(tmp_path: Path) -> None:
    async with daemon(tmp_path) as path:
        with contextlib.ExitStack() as stack:
            for _ in range(2 * MAX_CONNECTIONS_OF_A_USER):
                connection = stack.enter_context(socket.socket(socket.AF_UNIX))
                with becoming(STRANGER):
                    connection.connect(str(path))
            await trio.lowlevel.checkpoint()
            for _ in range(MAX_CONNECTIONS_OF_A_USER):
                with socket.socket(socket.AF_UNIX) as gone, becoming(STRANGER):
                    gone.connect(str(path))
            assert await said(path, uid=MEMBER, groups=(GROUP,)) == ANSWER


@pytest.mark.parametrize(
    "raw", [b"", b"\0", b"\0\0\0\0", b"\xff" * 4_000, b"\0\0\0\x04\xff\xfe{}", b"\0\0\0\x06why {]"]
)
async def test_nonsense_ends_its_own_connection_alone(tmp_path: Path, raw: bytes) -> None:
    async with daemon(tmp_path) as path:
        assert ANSWER not in await said(path, raw=raw, uid=MEMBER, groups=(GROUP,))
        assert await said(path, uid=MEMBER, groups=(GROUP,)) == ANSWER


async def test_a_user_with_ten_thousand_connections_keeps_out_himself_alone(tmp_path: Path) -> None:
    held: list[socket.socket] = []

    def many() -> None:
        for _ in range(400):  # those beyond the few are closed at once, however many there are
            one = socket.socket(socket.AF_UNIX)
            one.setblocking(False)
            with contextlib.suppress(BlockingIOError):  # the queue is full: the kernel lets no more in
                one.connect(str(path))
            held.append(one)

    async with daemon(tmp_path) as path, serve_local_socket(tmp_path / "root.sock", HANDLERS):
        with becoming(STRANGER):
            many()
        assert await ask_daemon(tmp_path / "root.sock", WHY) == WhyAnswer([])
        # the queue of the flood is behind us in a moment
        assert await said(path, uid=MEMBER, groups=(GROUP,)) == ANSWER
        assert b"Too many of your programs" in await said(path, uid=STRANGER)
        for one in held:
            one.close()
        with trio.fail_after(5):
            while b"Too many" in (words := await said(path, uid=STRANGER)):  # noqa: ASYNC110
                await trio.sleep(0.01)
        assert b"add you to the group" in words


async def test_so_many_connections_of_one_user_and_no_more(tmp_path: Path) -> None:
    assert MAX_CONNECTIONS_OF_A_USER == 4
    async with daemon(tmp_path) as path:
        held = [socket.socket(socket.AF_UNIX) for _ in range(MAX_CONNECTIONS_OF_A_USER)]
        for one in held[:-1]:
            one.connect(str(path))
        assert await said(path, uid=0) == ANSWER
        await trio.sleep(users_socket.REST_SECONDS + 0.05)
        held[-1].connect(str(path))
        await trio.testing.wait_all_tasks_blocked()
        assert b"Too many of your programs" in await said(path, uid=0)
        for one in held:
            one.close()


async def test_a_place_that_others_may_write_to_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o777)
    with pytest.raises(UsersSocketError, match="others than root may write to"):
        async with serve_users_socket(tmp_path / "run" / "users.sock", [], RIGHTS):
            pass
    (tmp_path / "link").symlink_to(tmp_path / "run")
    with pytest.raises(UsersSocketError, match="is no folder"):
        async with serve_users_socket(tmp_path / "link" / "users.sock", [], RIGHTS):
            pass


async def test_another_user_s_socket_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "users.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        with becoming(STRANGER):
            listener.listen()  # the kernel notes who listens, at this moment
        with pytest.raises(UserError, match=f"belongs to user {STRANGER}, not to root") as caught:
            await ask_daemon(path, WHY, of_users=True)
    assert caught.value.kind is FaultKind.REFUSED


async def test_a_full_queue_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "daemon.sock"
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(str(path))
        listener.listen(0)
        first.connect(str(path))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_ask_until_answered, path)
            await trio.sleep(0.02)  # it tries again and again
            listener.accept()[0].close()  # the first; there is room for the second
            connection = await trio.to_thread.run_sync(lambda: listener.accept()[0])
            connection.sendall(struct.pack(">I", len(ANSWER)) + ANSWER)
            connection.close()


async def _ask_until_answered(path: Path) -> None:
    assert await ask_daemon(path, WHY) == WhyAnswer([])


async def test_who_listens_and_who_has_connected_is_known(tmp_path: Path) -> None:
    async with daemon(tmp_path) as path:
        connection = trio.socket.socket(socket.AF_UNIX)
        await connection.connect(str(path))
        with connection:
            peer = peer_of(connection)
    assert (peer.pid, peer.uid) == (os.getpid(), 0)
    assert peer.groups is not None
    assert 0 in peer.groups


async def test_no_users_socket_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No daemon answers users on .*users.sock. Ask this PC's administrator"):
        await ask_daemon(tmp_path / "users.sock", WHY, of_users=True)


async def test_who_asks_for_what_takes_long_waits_longer_for_the_next(tmp_path: Path) -> None:
    """A user who asks as fast as he can gets a part of the daemon's time, not all."""
    times: list[float] = []

    async def slowly(_order: DeferOrder) -> Deferred:
        times.append(trio.current_time())
        await trio.sleep(0.02)
        return Deferred("a", "1", until=1.0, deferrals_left=0)

    slow = [carries_out(DEFER, slowly)]
    path = tmp_path / "run" / "users.sock"
    async with serve_users_socket(path, slow, RIGHTS), trio.open_nursery() as nursery:
        for _ in range(MAX_CONNECTIONS_OF_A_USER + 1):
            nursery.start_soon(_ask_until_let_in, path)
    assert times[-1] - times[0] >= users_socket.REST_TIMES * 0.02


async def _ask_until_let_in(path: Path) -> None:
    answered = False
    while not answered:
        with contextlib.suppress(UserError):  # too many at the same time
            await ask_daemon(path, DEFER, DeferOrder("a"), of_users=True)
            answered = True
        await trio.sleep(0.01)
