"""Tells the server which signed versions this PC trusts, and hands it the files where the server has lost them."""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

import trio
from msgspec.structs import replace

from p2pdist.shared.errors import UserError
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.wire.features import TRUST
from p2pdist.shared.wire.fields import Features
from p2pdist.shared.wire.messages import FromEndpoint
from p2pdist.shared.wire.signed_files import (
    MAX_SIGNED_PART_BYTES,
    SignedFilePart,
    SignedWanted,
    TrustTold,
    TrustWanted,
)

MAX_WAITING_QUESTIONS = 4  # a server asks again when it has been answered; more is a flood

TrustQuestion: TypeAlias = TrustWanted | SignedWanted

log = lazy_log()


class HasSignedFiles(Protocol):
    """The trust store, as far as it is presented."""

    keeps_all: bool

    async def told(self, *, with_roles: bool = False) -> TrustTold | None:
        """Return which versions this PC trusts; None: none yet."""
        ...

    async def signed_file(self, path: str) -> bytes | None:
        """Return a signed file; None: it is not here."""
        ...


class Presenter:
    """Answers the server, one question after the other."""

    def __init__(
        self,
        store: HasSignedFiles,
        send: Callable[[FromEndpoint], Awaitable[None]],
        servers: Callable[[], int] = lambda: 0,
        *,
        keep_all: Callable[[], None] = lambda: None,
    ) -> None:
        """``servers``: the number of the list of the server's addresses that is in force here.

        ``keep_all`` is called when the server has begun to want that this PC keeps everything: refresh.
        """
        self._store = store
        self._send = send
        self._servers = servers
        self._keep_all = keep_all
        self._put, self._questions = trio.open_memory_channel[TrustQuestion](MAX_WAITING_QUESTIONS)
        self._takes = False
        self._file: tuple[str, bytes] = ("", b"")
        """The one that was asked for last: its parts are asked for one after the other."""

    def welcomed(self, features: Features) -> None:
        """Tell a new connection, where the server takes it."""
        self._takes = TRUST in features
        self.tell()

    def tell(self) -> None:
        """Tell the server, where it takes it: something has changed that it has not seen for itself."""
        if self._takes:
            self.heard(TrustWanted())

    def disconnected(self) -> None:
        """Answer nothing any more."""
        self._takes = False

    def heard(self, question: TrustQuestion) -> None:
        """Take a question of the server; one too many is left out, and the server asks again."""
        with contextlib.suppress(trio.WouldBlock):
            self._put.send_nowait(question)

    async def run(self) -> None:
        """Answer until cancelled."""
        async for question in self._questions:
            if not self._takes:
                continue
            try:
                await self._answer(question)
            except UserError as error:
                log.warning("the server cannot be told of the signed files", reason=error.message)

    async def _answer(self, question: TrustQuestion) -> None:
        if isinstance(question, SignedWanted):
            await self._send(await self._part(question))
            return
        if question.keep and not self._store.keeps_all:
            self._store.keeps_all = True
            self._keep_all()
        if not question.keep and (told := await self._store.told(with_roles=question.versions)) is not None:
            await self._send(replace(told, servers=self._servers()))

    async def _part(self, wanted: SignedWanted) -> SignedFilePart:
        path, at = wanted.path, wanted.offset
        if self._file[0] != path or not at:
            self._file = (path, await self._store.signed_file(path) or b"")
        data = self._file[1]
        part = SignedFilePart(path, min(at, len(data)), len(data), data[at : at + MAX_SIGNED_PART_BYTES])
        if at + MAX_SIGNED_PART_BYTES >= len(data):
            self._file = ("", b"")
        return part
