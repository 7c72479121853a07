"""Requests from this PC's commands to its running daemon, over a Unix socket in the home directory.

Only the socket's owner may connect: its file mode is the access control; `users_socket` is for everybody else. A
request is one frame: a command's name, and where the command has arguments, a blank and these as JSON. The answer is
one frame of JSON; `messages` has the types.
"""

import contextlib
import errno
import os
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import trio

from p2pdist.local_api.messages import AnswerT, Command, NotUnderstood, Question, QuestionT, Refusal
from p2pdist.local_api.peer import peer_of
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.wire.frames import FrameDecoder, FrameError, encode_frame

MAX_REQUEST_BYTES = 1_024
MAX_ANSWER_BYTES = 8 << 20  # thousands of patches or peers as JSON
REQUEST_SECONDS = 10.0  # the daemon answers from memory; longer means that it hangs
MAX_CONNECTIONS = 16  # people and scripts on one PC
QUEUE_SECONDS = 0.05  # between tries while the queue of the socket is full


@dataclass(frozen=True, slots=True)
class Handler:
    """Carries out one command in the daemon. Made by one of the next three functions, so that mypy checks its types."""

    command: Command[Any, Any]
    handle: Callable[[Any], Awaitable[msgspec.Struct]]


def answers(command: Command[Question, AnswerT], answer: Callable[[], AnswerT]) -> Handler:
    """Return the handler of a command that changes nothing. ``answer`` raises `UserError` for what is refused."""

    async def handle(_question: Question) -> AnswerT:
        return answer()

    return Handler(command, handle)


def answers_as_asked(command: Command[QuestionT, AnswerT], answer: Callable[[QuestionT], AnswerT]) -> Handler:
    """Return the handler of a command that changes nothing and has arguments; ``answer`` raises as for `answers`."""

    async def handle(question: QuestionT) -> AnswerT:
        return answer(question)

    return Handler(command, handle)


def carries_out(command: Command[QuestionT, AnswerT], order: Callable[[QuestionT], Awaitable[AnswerT]]) -> Handler:
    """Return the handler of a command that changes something. ``order`` raises `UserError` for what is refused."""
    return Handler(command, order)


@contextmanager
def _short_path(path: Path) -> Iterator[str]:
    """Give ``path`` in a form that fits ``sun_path`` (108 bytes), however long the home's path is."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield str(path) if len(os.fsencode(path)) < 100 else f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)


@contextmanager
def _for_this_user_alone() -> Iterator[None]:
    """Make what is made here inaccessible to others from its first moment on: a socket's mode comes of the umask.

    The umask is the whole process's. What other threads make meanwhile is closed to others too, or sets its own mode.
    """
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def listen(path: Path, *, mode: int = 0o600, backlog: int = MAX_CONNECTIONS) -> trio.socket.SocketType:
    """Return a socket that listens on ``path`` with the file mode ``mode``. Raises `OSError`."""
    if path.exists() and stat.S_ISSOCK(path.lstat().st_mode):
        path.unlink()  # left by a killed daemon: we hold the lock, so none is running
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        with _short_path(path) as short, _for_this_user_alone():
            listener.bind(short)
        path.chmod(mode)
        listener.listen(backlog)
        return trio.socket.from_stdlib_socket(listener.dup())


@asynccontextmanager
async def serve_local_socket(path: Path, handlers: Iterable[Handler]) -> AsyncIterator[None]:
    """Answer requests on ``path`` while the context is open. The caller holds the home's lock.

    Raises `UserError` (`STORAGE`) when the socket cannot be made.
    """
    try:
        listener = listen(path)
    except OSError as error:
        raise UserError(
            f"The socket {path} cannot be made: {error.strerror}. Check the home's disk and permissions.",
            FaultKind.STORAGE,
        ) from error
    by_name = {handler.command.name: handler for handler in handlers}
    try:
        async with trio.open_nursery() as nursery:
            limit = trio.CapacityLimiter(MAX_CONNECTIONS)
            nursery.start_soon(_accept, listener, by_name, limit)
            yield
            nursery.cancel_scope.cancel()
    finally:
        listener.close()
        remove_socket(path)


def remove_socket(path: Path) -> None:
    """Remove a socket's file, if that can be done."""
    with contextlib.suppress(OSError):  # if it stays, the next daemon replaces it
        path.unlink(missing_ok=True)


async def _accept(
    listener: trio.socket.SocketType, handlers: Mapping[str, Handler], limit: trio.CapacityLimiter
) -> None:
    async with trio.open_nursery() as nursery:
        while True:
            await limit.acquire_on_behalf_of(slot := object())
            try:
                connection, _ = await listener.accept()
            except OSError:
                limit.release_on_behalf_of(slot)
                await trio.sleep(0.1)  # out of file descriptors: wait until some are closed
                continue
            nursery.start_soon(_answer, trio.SocketStream(connection), handlers, limit, slot)


async def _answer(
    stream: trio.SocketStream, handlers: Mapping[str, Handler], limit: trio.CapacityLimiter, slot: object
) -> None:
    try:
        with trio.move_on_after(REQUEST_SECONDS):
            async with stream:
                await send_answer(stream, await carry_out(await read_request(stream), handlers))
    except (FrameError, trio.BrokenResourceError, ValueError):
        pass  # the client has gone or sent nonsense: there is nobody to answer
    finally:
        limit.release_on_behalf_of(slot)


async def read_request(stream: trio.SocketStream) -> str:
    """Return the request. Raises `FrameError`, `BrokenResourceError`."""
    return (await _read_frame(stream, max_bytes=MAX_REQUEST_BYTES)).decode(errors="replace")


async def send_answer(stream: trio.SocketStream, answer: msgspec.Struct) -> None:
    """Send the answer. Raises `FrameError` for one that is too long, `BrokenResourceError`."""
    await stream.send_all(encode_frame(msgspec.json.encode(answer), max_bytes=MAX_ANSWER_BYTES))


async def carry_out(request: str, handlers: Mapping[str, Handler]) -> msgspec.Struct:
    """Return the answer to ``request``: that of its handler, or why there is none."""
    name, _, arguments = request.partition(" ")
    handler = handlers.get(name)
    if handler is None:
        return NotUnderstood(error=f"this daemon does not know the command {name[:40]!r}")
    try:
        question = msgspec.json.decode(arguments or "{}", type=handler.command.question)
    except msgspec.DecodeError as error:
        return Refusal(
            refused=f"The daemon does not understand the arguments of {name!r} ({error}). "
            "It may be another version: restart it.",
            kind=FaultKind.BAD_INPUT,
        )
    try:
        return await handler.handle(question)
    except UserError as error:
        return Refusal(refused=error.message, kind=error.kind)
    except OSError as error:
        return Refusal(
            refused=f"The daemon cannot write it down: {error.strerror}. Make room, or check the disk.",
            kind=FaultKind.STORAGE,
        )


async def ask_daemon(
    path: Path, command: Command[QuestionT, AnswerT], question: QuestionT | None = None, *, of_users: bool = False
) -> AnswerT:
    """Return the running daemon's answer; ``question`` is for commands that have arguments.

    ``of_users``: ``path`` is the users' socket, which has to be root's, or this user's own. Raises `UserError`:
    `NOT_RUNNING` when no daemon answers, or what the daemon refuses the command with.
    """
    try:
        request = command.name if question is None else f"{command.name} {msgspec.json.encode(question).decode()}"
        frame = encode_frame(request.encode(), max_bytes=MAX_REQUEST_BYTES)
    except ValueError as error:  # `FrameError`, or signs that are none
        raise UserError(
            "No patch can have that name: it is too long, or no text. 'p2pdist plan' lists what is rolled out.",
            FaultKind.BAD_INPUT,
        ) from error
    connection = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with trio.fail_after(REQUEST_SECONDS), _short_path(path) as short:
            await _connect(connection, short)
            if of_users:
                _check_root_answers(connection, path)
            async with trio.SocketStream(connection) as stream:
                with contextlib.suppress(trio.BrokenResourceError):  # turned away: there may be an answer all the same
                    await stream.send_all(frame)
                answer = await _read_frame(stream, max_bytes=MAX_ANSWER_BYTES)
                return _understood(answer, command)
    except (ConnectionRefusedError, FileNotFoundError):
        raise _not_running(path, of_users=of_users) from None
    except PermissionError:
        raise UserError(
            f"The daemon's socket {path} belongs to another user. Run the command as the user that runs the daemon: "
            "with sudo, where that is root.",
            FaultKind.REFUSED,
        ) from None
    except (OSError, trio.TooSlowError, trio.BrokenResourceError, FrameError, msgspec.DecodeError) as error:
        cause = str(error) or "time is up"
        raise UserError(
            f"The daemon in {path.parent} does not answer ({cause}). Look at its log, or restart it.",
            FaultKind.NOT_RUNNING,
        ) from error
    finally:
        connection.close()


def _not_running(path: Path, *, of_users: bool) -> UserError:
    words = f"The daemon is not running in {path.parent}. Start it with: p2pdist run --home {path.parent}"
    if of_users:
        words = f"No daemon answers users on {path}. Ask this PC's administrator to look at p2pdist.service."
    return UserError(words, FaultKind.NOT_RUNNING)


async def _connect(connection: trio.socket.SocketType, path: str) -> None:
    """Connect, and again while others fill the queue: then the kernel says "try again", not "wait"."""
    while True:
        await connection.connect(path)
        try:
            connection.getpeername()
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                raise
            await trio.sleep(QUEUE_SECONDS)
        else:
            return


def _check_root_answers(connection: trio.socket.SocketType, path: Path) -> None:
    """Raise `UserError` (REFUSED) where another user than root and this one listens: that one may say anything."""
    owner = peer_of(connection).uid
    if owner not in (0, os.geteuid()):
        raise UserError(
            f"The socket {path} belongs to user {owner}, not to root: whatever it says is not believed. "
            "Tell this PC's administrator.",
            FaultKind.REFUSED,
        )


def _understood(answer: bytes, command: Command[QuestionT, AnswerT]) -> AnswerT:
    """Return the answer. Raises `UserError` for a refusal or an unknown shape, `msgspec.DecodeError` for no JSON."""
    try:
        return msgspec.json.decode(answer, type=command.answer)
    except msgspec.ValidationError as error:
        mismatch = f"the daemon answers {command.name!r} in another way ({error})"
    with contextlib.suppress(msgspec.ValidationError):
        refusal = msgspec.json.decode(answer, type=Refusal)
        raise UserError(refusal.refused, refusal.kind)
    with contextlib.suppress(msgspec.ValidationError):
        mismatch = msgspec.json.decode(answer, type=NotUnderstood).error
    raise UserError(f"{mismatch}; it may be an older version: restart it.", FaultKind.FAILED)


async def _read_frame(stream: trio.SocketStream, *, max_bytes: int) -> bytes:
    decoder = FrameDecoder(max_bytes=max_bytes)
    while True:
        data = await stream.receive_some(65_536)
        if not data:
            raise FrameError("the other side closed the connection")
        if bodies := decoder.feed(bytes(data)):
            return bodies[0]
