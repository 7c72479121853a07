"""The socket for this PC's users: anybody may connect, `rights` decides, and few commands are answered.

It stands beside root's socket and has nothing in common with it but the handlers: whatever a user does here, with
connections that never ask or with requests without end, root is answered as before. What one user takes is bounded
too: so many connections at a time, and so many requests a second.
"""

import os
import stat
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import trio

from p2pdist.local_api.messages import Refusal
from p2pdist.local_api.peer import LocalPeer, peer_of
from p2pdist.local_api.rights import UsersRights
from p2pdist.local_api.socket import (
    REQUEST_SECONDS,
    Handler,
    carry_out,
    listen,
    read_request,
    remove_socket,
    send_answer,
)
from p2pdist.shared.errors import FaultKind
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.wire.frames import FrameError

MAX_CONNECTIONS_OF_A_USER = 4  # a screen that is followed, the agent, and a command beside them
MAX_CONNECTIONS_OF_USERS = 64  # of a terminal server's users together
REST_SECONDS = 0.1  # that a connection's place stays taken after its answer: 40 requests a second of one user
REST_TIMES = 20  # … or so many times as long as the answer took: a fifth of the daemon's time for one user
LONGEST_REST_SECONDS = 5.0
TURNED_AWAY_SECONDS = 0.005  # before the next connection is looked at, after one too many

log = lazy_log()


class UsersSocketError(OSError):
    """The users' socket cannot be made. The message says why, and what to do."""


@asynccontextmanager
async def serve_users_socket(path: Path, handlers: Iterable[Handler], rights: UsersRights) -> AsyncIterator[None]:
    """Answer users on ``path`` while the context is open: the commands for them. Raises `UsersSocketError`."""
    try:
        _prepare(path.parent)
        listener = listen(path, mode=0o666, backlog=MAX_CONNECTIONS_OF_USERS)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsersSocketError(
            f"Users of this PC are not answered: {path} cannot be made ({reason}). "
            "Correct users_socket in config.toml, or the folder's rights, and restart p2pdist."
        ) from error
    by_name = {handler.command.name: handler for handler in handlers}
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(rights.group.run)
            nursery.start_soon(_Door(by_name, rights).keep, listener)
            yield
            nursery.cancel_scope.cancel()
    finally:
        listener.close()
        remove_socket(path)


def _prepare(directory: Path) -> None:
    """Make the socket's folder, which all may enter. Raises `OSError` where others could put a socket in its place."""
    with suppress(FileExistsError):
        directory.mkdir(mode=0o755)
        directory.chmod(0o755)  # whatever the umask is
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(0, f"{directory} is no folder")
    if found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
        raise PermissionError(0, f"others than root may write to {directory}")


class _Door:
    """Lets connections in, so many of each user."""

    def __init__(self, handlers: Mapping[str, Handler], rights: UsersRights) -> None:
        self._handlers = handlers
        self._rights = rights
        self._inside: Counter[int] = Counter()

    async def keep(self, listener: trio.socket.SocketType) -> None:
        async with trio.open_nursery() as nursery:
            while True:
                try:
                    connection, _ = await listener.accept()
                except OSError:
                    await trio.sleep(REST_SECONDS)  # out of file descriptors: wait until some are closed
                    continue
                try:
                    peer = peer_of(connection)
                except OSError:
                    connection.close()
                    continue
                if self._is_full(peer.uid):
                    with suppress(trio.BrokenResourceError, trio.TooSlowError):  # it has gone, or does not read
                        with trio.fail_after(TURNED_AWAY_SECONDS):
                            await send_answer(trio.SocketStream(connection), _TOO_MANY)
                    connection.close()
                    await trio.sleep(TURNED_AWAY_SECONDS)
                    continue
                self._inside[peer.uid] += 1
                nursery.start_soon(self._serve, trio.SocketStream(connection), peer)

    def _is_full(self, uid: int) -> bool:
        return self._inside[uid] >= MAX_CONNECTIONS_OF_A_USER or self._inside.total() >= MAX_CONNECTIONS_OF_USERS

    async def _serve(self, stream: trio.SocketStream, peer: LocalPeer) -> None:
        rest_seconds = REST_SECONDS
        try:
            with trio.move_on_after(REQUEST_SECONDS):
                async with stream:
                    request = await read_request(stream)
                    began = trio.current_time()
                    answer = await self._answer(request, peer)
                    rest_seconds = max(rest_seconds, REST_TIMES * (trio.current_time() - began))
                    await send_answer(stream, answer)
        except (FrameError, trio.BrokenResourceError, ValueError):
            pass  # the client has gone or sent nonsense: there is nobody to answer
        await trio.sleep(min(rest_seconds, LONGEST_REST_SECONDS))
        self._inside[peer.uid] -= 1
        if not self._inside[peer.uid]:
            del self._inside[peer.uid]

    async def _answer(self, request: str, peer: LocalPeer) -> msgspec.Struct:
        handler = self._handlers.get(request.partition(" ")[0])
        if handler is not None and not handler.command.for_users:
            name = handler.command.name
            return Refusal(
                refused=f"Only root may use '{name}' on this PC. Run 'sudo p2pdist {name}', or ask your administrator.",
                kind=FaultKind.REFUSED,
            )
        if refusal := await self._rights.refusal(peer):
            return Refusal(refused=refusal, kind=FaultKind.REFUSED)
        return await carry_out(request, self._handlers)


_TOO_MANY = Refusal(
    refused="Too many of your programs ask p2pdist at the same time. End some of them, and ask again.",
    kind=FaultKind.BUSY,
)
