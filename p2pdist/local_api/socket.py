"""Requests from this PC's commands to its running daemon, over a Unix socket in the home directory.

Only its owner may connect: the socket's mode is the access control.
A request is one frame: a command's name, and for one that changes something a blank and its arguments as JSON.
The answer is one frame of JSON.
"""

import contextlib
import json
import os
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import trio

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.wire.frames import FrameDecoder, FrameError, encode_frame

MAX_REQUEST_BYTES = 1_024
MAX_ANSWER_BYTES = 8 << 20  # thousands of patches or peers as JSON
REQUEST_SECONDS = 10.0  # the daemon answers from memory; longer means that it hangs
MAX_CONNECTIONS = 16  # people and scripts on one PC

Answer = dict[str, Any]
Question: TypeAlias = Callable[[], Answer]
Order: TypeAlias = Callable[[dict[str, Any]], Awaitable[Answer]]
"""Takes the arguments; raises `UserError` for what is refused."""


@contextmanager
def _short_path(path: Path) -> Iterator[str]:
    """Give ``path`` in a form that fits ``sun_path`` (108 bytes), however deep the home lies."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield str(path) if len(os.fsencode(path)) < 100 else f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)


def _listen(path: Path) -> trio.socket.SocketType:
    if path.exists() and stat.S_ISSOCK(path.lstat().st_mode):
        path.unlink()  # left by a killed daemon; the lock says that none is running
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        with _short_path(path) as short:
            listener.bind(short)
        path.chmod(0o600)
        listener.listen(MAX_CONNECTIONS)
        return trio.socket.from_stdlib_socket(listener.dup())


@asynccontextmanager
async def serve_local_socket(
    path: Path, questions: Mapping[str, Question], orders: Mapping[str, Order] = MappingProxyType({})
) -> AsyncIterator[None]:
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
    handlers = {name: _asking(question) for name, question in questions.items()} | dict(orders)
    try:
        async with trio.open_nursery() as nursery:
            limit = trio.CapacityLimiter(MAX_CONNECTIONS)
            nursery.start_soon(_accept, listener, handlers, limit)
            yield
            nursery.cancel_scope.cancel()
    finally:
        listener.close()
        _remove(path)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):  # the next daemon replaces it
        path.unlink(missing_ok=True)


def _asking(question: Question) -> Order:
    async def answer(_arguments: dict[str, Any]) -> Answer:
        return question()

    return answer


async def _accept(listener: trio.socket.SocketType, handlers: Mapping[str, Order], limit: trio.CapacityLimiter) -> None:
    async with trio.open_nursery() as nursery:
        while True:
            await limit.acquire_on_behalf_of(slot := object())
            try:
                connection, _ = await listener.accept()
            except OSError:
                limit.release_on_behalf_of(slot)
                await trio.sleep(0.1)  # out of descriptors: let some be closed
                continue
            nursery.start_soon(_answer, trio.SocketStream(connection), handlers, limit, slot)


async def _answer(
    stream: trio.SocketStream, handlers: Mapping[str, Order], limit: trio.CapacityLimiter, slot: object
) -> None:
    try:
        with trio.move_on_after(REQUEST_SECONDS):
            async with stream:
                request = (await _read_frame(stream, max_bytes=MAX_REQUEST_BYTES)).decode(errors="replace")
                answer = await _carry_out(request, handlers)
                await stream.send_all(encode_frame(json.dumps(answer).encode(), max_bytes=MAX_ANSWER_BYTES))
    except (FrameError, trio.BrokenResourceError, ValueError):
        pass  # the asker went away or sent nonsense: its own loss
    finally:
        limit.release_on_behalf_of(slot)


async def _carry_out(request: str, handlers: Mapping[str, Order]) -> Answer:
    name, _, text = request.partition(" ")
    handler = handlers.get(name)
    if handler is None:
        return {"error": f"this daemon does not know the command {name[:40]!r}"}
    try:
        arguments = json.loads(text or "{}")
        return await handler(arguments if isinstance(arguments, dict) else {})
    except UserError as error:
        return {"refused": error.message, "kind": error.kind.value}
    except OSError as error:
        return {
            "refused": f"The daemon cannot write it down: {error.strerror}. Make room, or check the disk.",
            "kind": FaultKind.STORAGE.value,
        }


async def ask_daemon(path: Path, command: str, arguments: dict[str, Any] | None = None) -> Answer:
    """Return the running daemon's answer.

    Raises `UserError`: `NOT_RUNNING` when there is no daemon, or what it raises itself.
    """
    request = command if arguments is None else f"{command} {json.dumps(arguments)}"
    not_running = UserError(
        f"The daemon is not running in {path.parent}. Start it with: p2pdist run --home {path.parent}",
        FaultKind.NOT_RUNNING,
    )
    connection = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with trio.fail_after(REQUEST_SECONDS), _short_path(path) as short:
            await connection.connect(short)
            async with trio.SocketStream(connection) as stream:
                await stream.send_all(encode_frame(request.encode(), max_bytes=MAX_REQUEST_BYTES))
                answer: Answer = json.loads(await _read_frame(stream, max_bytes=MAX_ANSWER_BYTES))
    except (ConnectionRefusedError, FileNotFoundError):
        raise not_running from None
    except PermissionError:
        raise UserError(
            f"The daemon's socket {path} belongs to another user. Run the command as the user that runs the daemon.",
            FaultKind.STORAGE,
        ) from None
    except (OSError, trio.TooSlowError, trio.BrokenResourceError, FrameError, ValueError) as error:
        cause = str(error) or "time is up"
        raise UserError(
            f"The daemon in {path.parent} does not answer ({cause}). Look at its log, or restart it.",
            FaultKind.NOT_RUNNING,
        ) from error
    finally:
        connection.close()
    if answer.keys() == {"refused", "kind"}:
        raise UserError(answer["refused"], FaultKind(answer["kind"]))
    if "error" in answer and len(answer) == 1:
        raise UserError(f"{answer['error']}; it may be an older version: restart it.", FaultKind.FAILED)
    return answer


async def _read_frame(stream: trio.SocketStream, *, max_bytes: int) -> bytes:
    decoder = FrameDecoder(max_bytes=max_bytes)
    while True:
        data = await stream.receive_some(65_536)
        if not data:
            raise FrameError("the other side closed the connection")
        if bodies := decoder.feed(bytes(data)):
            return bodies[0]
