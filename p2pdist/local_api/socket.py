"""Requests from this PC's commands to its running daemon, over a Unix socket in the home directory.

Only the socket's owner may connect: its file mode is the access control. A request is one frame: a command's name, and
where the command has arguments, a blank and these as JSON. The answer is one frame of JSON; `messages` has the types.
"""

import contextlib
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
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.wire.frames import FrameDecoder, FrameError, encode_frame

MAX_REQUEST_BYTES = 1_024
MAX_ANSWER_BYTES = 8 << 20  # thousands of patches or peers as JSON
REQUEST_SECONDS = 10.0  # the daemon answers from memory; longer means that it hangs
MAX_CONNECTIONS = 16  # people and scripts on one PC


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


def _listen(path: Path) -> trio.socket.SocketType:
    if path.exists() and stat.S_ISSOCK(path.lstat().st_mode):
        path.unlink()  # left by a killed daemon: we hold the lock, so none is running
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        with _short_path(path) as short, _for_this_user_alone():
            listener.bind(short)
        path.chmod(0o600)
        listener.listen(MAX_CONNECTIONS)
        return trio.socket.from_stdlib_socket(listener.dup())


@asynccontextmanager
async def serve_local_socket(path: Path, handlers: Iterable[Handler]) -> AsyncIterator[None]:
    """Answer requests on ``path`` while the context is open. The caller holds the home's lock.

    Raises `UserError` (`STORAGE`) when the socket cannot be made.
    """
    try:
        listener = _listen(path)
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
        _remove(path)


def _remove(path: Path) -> None:
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
                request = (await _read_frame(stream, max_bytes=MAX_REQUEST_BYTES)).decode(errors="replace")
                answer = await _carry_out(request, handlers)
                await stream.send_all(encode_frame(msgspec.json.encode(answer), max_bytes=MAX_ANSWER_BYTES))
    except (FrameError, trio.BrokenResourceError, ValueError):
        pass  # the client has gone or sent nonsense: there is nobody to answer
    finally:
        limit.release_on_behalf_of(slot)


async def _carry_out(request: str, handlers: Mapping[str, Handler]) -> msgspec.Struct:
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


async def ask_daemon(path: Path, command: Command[QuestionT, AnswerT], question: QuestionT | None = None) -> AnswerT:
    """Return the running daemon's answer; ``question`` is for commands that have arguments.

    Raises `UserError`: `NOT_RUNNING` when no daemon answers, or what the daemon refuses the command with.
    """
    try:
        request = command.name if question is None else f"{command.name} {msgspec.json.encode(question).decode()}"
        frame = encode_frame(request.encode(), max_bytes=MAX_REQUEST_BYTES)
    except ValueError as error:  # `FrameError`, or signs that are none
        raise UserError(
            "No patch can have that name: it is too long, or no text. 'p2pdist plan' lists what is rolled out.",
            FaultKind.BAD_INPUT,
        ) from error
    not_running = UserError(
        f"The daemon is not running in {path.parent}. Start it with: p2pdist run --home {path.parent}",
        FaultKind.NOT_RUNNING,
    )
    connection = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with trio.fail_after(REQUEST_SECONDS), _short_path(path) as short:
            await connection.connect(short)
            async with trio.SocketStream(connection) as stream:
                await stream.send_all(frame)
                answer = await _read_frame(stream, max_bytes=MAX_ANSWER_BYTES)
                return _understood(answer, command)
    except (ConnectionRefusedError, FileNotFoundError):
        raise not_running from None
    except PermissionError:
        raise UserError(
            f"The daemon's socket {path} belongs to another user. Run the command as the user that runs the daemon.",
            FaultKind.STORAGE,
        ) from None
    except (OSError, trio.TooSlowError, trio.BrokenResourceError, FrameError, msgspec.DecodeError) as error:
        cause = str(error) or "time is up"
        raise UserError(
            f"The daemon in {path.parent} does not answer ({cause}). Look at its log, or restart it.",
            FaultKind.NOT_RUNNING,
        ) from error
    finally:
        connection.close()


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
