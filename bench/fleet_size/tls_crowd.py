"""Played PCs with real TLS connections to the origin port: `python -m bench.fleet_size.tls_crowd PLAN`, a process."""

import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

import trio

from bench.fleet_size import speech
from bench.fleet_size.crowd import Crowd, Plan, Player, Progress, read_plan
from bench.fleet_size.identities import Pc
from p2pdist.shared.named_memory import named_memory
from p2pdist.shared.wire.channels import decode_from_server
from p2pdist.shared.wire.fields import MAX_CONTROL_FRAME_BYTES
from p2pdist.shared.wire.frames import FrameDecoder, encode_frame
from p2pdist.shared.wire.messages import Goodbye, Welcome
from p2pdist.shared.wire.pings import echo_frame, ping_number
from p2pdist.trust.tls_contexts import trusting_context

CONNECT_SECONDS = 60.0  # TCP, TLS and welcome; a server under load is measured, not given up
RECEIVE_BYTES = 64 << 10


class EndedError(Exception):
    """The server ended the connection; the text is its reason."""


class TlsPlayer(Player):
    """A PC with a TLS connection."""

    __slots__ = ("_decoder", "_sending", "_stream")

    def __init__(self, pc: Pc, stream: "trio.SSLStream[trio.SocketStream]") -> None:
        super().__init__(pc)
        self._stream = stream
        self._decoder = FrameDecoder(max_bytes=MAX_CONTROL_FRAME_BYTES)
        self._sending = trio.Lock()

    async def say(self, bodies: Sequence[bytes]) -> None:
        """Send frames."""
        await self._send(b"".join(encode_frame(body, max_bytes=MAX_CONTROL_FRAME_BYTES) for body in bodies))

    async def _send(self, frames: bytes) -> None:
        async with self._sending:
            await self._stream.send_all(frames)

    async def welcome(self, hello: bytes) -> None:
        """Say hello and wait for the welcome. Raises `EndedError`."""
        await self.say([hello])
        while True:
            for body in await self._bodies():
                if isinstance(message := decode_from_server(body), Goodbye):
                    raise EndedError(message.reason)
                if isinstance(message, Welcome):
                    self.was_welcomed(message)
                    return

    async def follow(self, progress: Progress) -> None:
        """Answer pings, and count the rest, until the end. Raises `EndedError`."""
        last = b""
        while True:
            try:
                bodies = await self._bodies()
            except EndedError:
                if last and isinstance(message := decode_from_server(last), Goodbye):
                    raise EndedError(message.reason) from None
                raise
            for body in bodies:
                progress.bytes_to_pcs += len(body)
                number = ping_number(body)
                if number is None:
                    last = body
                else:
                    progress.pings += 1
                    await self._send(echo_frame(number))

    async def _bodies(self) -> list[bytes]:
        data = bytes(await self._stream.receive_some(RECEIVE_BYTES))
        if not data:
            raise EndedError("closed by the server")
        return self._decoder.feed(data)


class TlsCrowd(Crowd):
    """PCs with TLS connections."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._context = trusting_context(plan.ca_pem)

    async def live(self, pc: Pc, welcomed: Callable[[Player], Awaitable[None]]) -> None:
        """As `Crowd` says."""
        async with AsyncExitStack() as stack:
            with trio.fail_after(CONNECT_SECONDS):
                player = TlsPlayer(pc, await self._open(pc, stack))
                hello = speech.hello(pc)
                await player.welcome(hello)
                if self.plan.pieces:
                    await self._open_for_pieces(pc, hello, stack)
            await welcomed(player)
            await player.follow(self.progress)

    async def _open(self, pc: Pc, stack: AsyncExitStack) -> "trio.SSLStream[trio.SocketStream]":
        tcp = await self._connect(pc)
        stack.push_async_callback(trio.aclose_forcefully, tcp)
        stream = self._secured(tcp, pc)
        await stream.do_handshake()
        return stream

    async def _open_for_pieces(self, pc: Pc, hello: bytes, stack: AsyncExitStack) -> None:
        stream = await self._open(pc, stack)
        await stream.send_all(encode_frame(speech.hello_for_pieces(hello), max_bytes=MAX_CONTROL_FRAME_BYTES))

    async def _connect(self, pc: Pc) -> trio.SocketStream:
        sock = trio.socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            await sock.bind((pc.address, 0))
            await sock.connect((self.plan.host, self.plan.port))
        except BaseException:
            sock.close()
            raise
        return trio.SocketStream(sock)

    def _secured(self, tcp: trio.SocketStream, pc: Pc) -> "trio.SSLStream[trio.SocketStream]":
        # one context for all, else they would take more memory than all the rest: a connection keeps what is loaded now
        with named_memory(pc.chain_pem) as name:
            self._context.load_cert_chain(name)
        return trio.SSLStream(tcp, self._context, server_hostname=self.plan.host, https_compatible=True)


def main() -> None:
    """Play the plan that the first argument names."""
    trio.run(TlsCrowd(read_plan(sys.argv[1])).run)


if __name__ == "__main__":
    main()
