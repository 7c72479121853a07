"""One TLS connection on the origin port: frames in and out, deadlines, and an end with a reason.

Everything that arrives is hostile until it has been decoded.
"""

import ssl

import trio

from p2pdist.shared.clock import Clock
from p2pdist.shared.identifiers import InvalidIdentifierError
from p2pdist.shared.wire.channels import encode_message
from p2pdist.shared.wire.codec import Message
from p2pdist.shared.wire.fields import MAX_CONTROL_FRAME_BYTES, MAX_TEXT_CHARS
from p2pdist.shared.wire.frames import SEND_SECONDS, FrameDecoder, FrameError, encode_frame
from p2pdist.shared.wire.messages import Goodbye, GoodbyeCause, OtherPc
from seed_server.line.tcp_info import read_tcp_info
from seed_server.ports.peer_certificate import peer_certificate
from seed_server.ports.tls_stream import TlsStream

GOODBYE_SECONDS = 1.0  # for the last frame to be sent and read; holds up a stop of the server
RECEIVE_BYTES = 64 << 10


class LostConnectionError(Exception):
    """The other side is gone, so that no `Goodbye` can reach it. The text says how."""


class RefusedError(Exception):
    """We end the connection; the text is the `Goodbye` reason."""


class OriginConnection:
    """A connection whose client has proven its certificate of the control CA."""

    __slots__ = (
        "_bodies", "_clock", "_decoder", "_sending", "_stream", "_within_frame",
        "address", "cause", "certificate_expires_at", "endpoint", "others",
    )  # fmt: skip

    def __init__(self, stream: TlsStream, address: str, clock: Clock) -> None:
        self._clock = clock
        self._stream = stream
        self._decoder = FrameDecoder(max_bytes=MAX_CONTROL_FRAME_BYTES)
        self._bodies: list[bytes] = []
        self._within_frame = False
        self._sending: trio.CancelScope | None = None
        self.address = address
        """The address that the server sees."""
        self.cause: GoodbyeCause = ""
        """Of its end, for the goodbye; the next field too."""
        self.others: list[OtherPc] = []
        certificate = peer_certificate(stream.socket)
        if certificate is None:  # the context requires one
            raise InvalidIdentifierError("there is no client certificate")
        self.endpoint, self.certificate_expires_at = certificate.endpoint, certificate.expires_at

    @classmethod
    async def accept(
        cls, stream: TlsStream, address: str, clock: Clock, *, within_seconds: float
    ) -> "OriginConnection":
        """Shake hands. Raises `LostConnectionError` where the other side has no valid certificate."""
        try:
            with trio.fail_after(within_seconds):
                await stream.do_handshake()
            return cls(stream, address, clock)
        except trio.TooSlowError:
            raise LostConnectionError("no TLS handshake in time") from None
        except (trio.BrokenResourceError, trio.ClosedResourceError, InvalidIdentifierError) as error:
            raise LostConnectionError(f"TLS handshake failed: {_cause(error)}") from error

    @property
    def socket(self) -> ssl.SSLSocket:
        """The TCP socket, for its options."""
        return self._stream.socket

    @property
    def least_rtt_seconds(self) -> float | None:
        """The least round trip that the kernel has seen; None: it does not tell."""
        look = read_tcp_info(self.socket)
        return None if look is None else look.least_rtt_seconds

    @property
    def certificate_expired(self) -> bool:
        """Whether the certificate that this connection began with has run out since."""
        return self._clock.now() >= self.certificate_expires_at

    async def receive(self) -> bytes:
        """Return the next frame's body. Raises `LostConnectionError`, and `RefusedError` for what is no frame."""
        while not self._bodies:
            data = await self._receive_some()
            try:
                self._bodies = self._decoder.feed(data)
                if not data:
                    self._decoder.at_end_of_stream()
            except FrameError as error:
                raise RefusedError(f"malformed frame: {error}") from error
            if not data:
                raise LostConnectionError("closed by the endpoint")
        return self._bodies.pop(0)

    async def receive_first(self, within_seconds: float) -> bytes:
        """As `receive`; raises `RefusedError` when no frame is there ``within_seconds``."""
        try:
            with trio.fail_after(within_seconds):
                return await self.receive()
        except trio.TooSlowError:
            raise RefusedError(f"no hello within {within_seconds:.0f} s") from None

    async def receive_nothing(self) -> None:
        """Wait for the end of a direction on which nothing may arrive. Raises like `receive`."""
        if self._bodies or await self._receive_some():
            raise RefusedError("nothing follows the hello on a data connection")
        raise LostConnectionError("closed by the endpoint")

    async def _receive_some(self) -> bytes:
        try:
            return await self._stream.receive_some(RECEIVE_BYTES)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise LostConnectionError(_cause(error)) from error

    async def send(self, message: Message) -> None:
        """Send a control message. Raises `LostConnectionError`, also when it is not taken in time.

        Only one task may send on a connection.
        """
        await self.send_frame(control_frame(message))

    async def send_frame(self, frame: bytes) -> None:
        """As `send`, for a message that is encoded already."""
        # a frame that is cancelled half-way breaks the stream, and with it the goodbye: see `hurry`
        self._sending = trio.CancelScope(shield=True, deadline=trio.current_time() + SEND_SECONDS)
        with self._sending as scope:
            await self.send_part(frame, last=True)
        self._sending = None
        if scope.cancelled_caught:
            raise LostConnectionError(f"took no control message for {SEND_SECONDS:.0f} s")

    def hurry(self) -> None:
        """Leave a `send` that is under way only `GOODBYE_SECONDS`: the connection ends."""
        if self._sending is not None:
            self._sending.deadline = min(self._sending.deadline, trio.current_time() + GOODBYE_SECONDS)

    async def send_part(self, data: bytes | memoryview, *, last: bool) -> None:
        """Send a part of a frame, however long that takes; ``last`` when the frame ends with it."""
        self._within_frame = True
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise LostConnectionError(_cause(error)) from error
        self._within_frame = not last

    async def finish(self, reason: str | None) -> None:
        """Close, and say why unless ``reason`` is None. Takes at most `GOODBYE_SECONDS`, also when cancelled."""
        with trio.CancelScope(shield=True):
            # a goodbye within a piece would be read as the piece's bytes
            if reason is not None and not self._within_frame:
                with trio.move_on_after(GOODBYE_SECONDS):
                    await self._say_goodbye(reason)
            self._stream.close()

    async def _say_goodbye(self, reason: str) -> None:
        goodbye = Goodbye(reason=reason[:MAX_TEXT_CHARS], cause=self.cause, others=self.others)
        try:
            await self._stream.send_all(control_frame(goodbye))
            # closing with unread bytes resets the connection, and the goodbye may be lost with it
            await self._stream.drain()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return


def control_frame(message: Message) -> bytes:
    """Return the whole frame of a control message."""
    return encode_frame(encode_message(message), max_bytes=MAX_CONTROL_FRAME_BYTES)


def _cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error) or type(error).__name__
