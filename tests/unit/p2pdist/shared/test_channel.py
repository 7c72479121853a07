"""`p2pdist.shared.channel`: messages between two processes, calls and answers, an other side that misbehaves."""

import pytest
import trio
import trio.testing

from p2pdist.network.messages import (
    MAX_MESSAGE_BYTES,
    AddTorrent,
    AreYouAlive,
    Done,
    EndProcess,
    FromPart,
    PartMessage,
    ToPart,
    decode_from_part,
    decode_to_part,
)
from p2pdist.shared.channel import (
    QUEUED_MESSAGES,
    WRITTEN_TOGETHER_BYTES,
    Calls,
    Channel,
    ChannelEndedError,
    UnexpectedMessageError,
)
from p2pdist.shared.wire.frames import FrameDecoder, encode_frame


def pair() -> tuple[Channel[FromPart], Channel[ToPart]]:
    one, other = trio.testing.memory_stream_pair()
    return (
        Channel[FromPart](one.receive_stream, one.send_stream, decode_from_part, max_bytes=MAX_MESSAGE_BYTES),
        Channel[ToPart](other.receive_stream, other.send_stream, decode_to_part, max_bytes=MAX_MESSAGE_BYTES),
    )


async def test_messages_arrive_in_order() -> None:
    daemon, part = pair()
    came: list[PartMessage] = []

    async def keep(message: PartMessage) -> None:
        came.append(message)
        if isinstance(message, EndProcess):
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(part.run, keep)
        nursery.start_soon(daemon.run, keep)
        daemon.tell(AreYouAlive(1))
        await daemon.send(AreYouAlive(2))
        daemon.tell(EndProcess())
    assert came == [AreYouAlive(1), AreYouAlive(2), EndProcess()]


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"\0\0\0\0", "empty frame"),
        ((MAX_MESSAGE_BYTES + 1).to_bytes(4, "big"), "over this channel's cap"),
        (encode_frame(b"\xc1", max_bytes=9), "must not"),
        (encode_frame(b"\x81\xa1t\xa4Done", max_bytes=9), "call"),
        (encode_frame(b"\x81\xa1t\xaaEndProcess", max_bytes=99), "EndProcess"),
    ],
    ids=["empty", "too long", "no msgpack", "a field is missing", "a message of the other way"],
)
async def test_what_must_not_be_sent_ends_the_channel(sent: bytes, words: str) -> None:
    one, other = trio.testing.memory_stream_pair()
    daemon = Channel[FromPart](one.receive_stream, one.send_stream, decode_from_part, max_bytes=MAX_MESSAGE_BYTES)

    async def never(message: PartMessage) -> None:
        raise AssertionError(message)

    await other.send_stream.send_all(sent)
    with pytest.raises(UnexpectedMessageError, match=words):
        await daemon.run(never)


async def test_what_is_queued_together_is_written_together_up_to_what_the_pipe_holds() -> None:
    writes: list[bytes] = []

    async def write() -> None:
        writes.append(bytes(stream.get_data_nowait()))

    async def never(message: PartMessage) -> None:
        raise AssertionError(message)

    stream = trio.testing.MemorySendStream(send_all_hook=write)
    daemon = Channel[FromPart](
        trio.testing.MemoryReceiveStream(), stream, decode_from_part, max_bytes=MAX_MESSAGE_BYTES
    )
    large = AddTorrent(1, bytes(WRITTEN_TOGETHER_BYTES), "0" * 64, assume_complete=False)
    told = [AreYouAlive(1), AreYouAlive(2), large, large, AreYouAlive(3)]
    for message in told:
        daemon.tell(message)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(daemon.run, never)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    decoder = FrameDecoder(max_bytes=MAX_MESSAGE_BYTES)
    written = [[decode_to_part(body) for body in decoder.feed(write)] for write in writes]
    assert written == [told[:3], told[3:4], told[4:]]


async def test_the_end_of_the_other_side_ends_the_channel() -> None:
    one, other = trio.testing.memory_stream_pair()
    daemon = Channel[FromPart](one.receive_stream, one.send_stream, decode_from_part, max_bytes=MAX_MESSAGE_BYTES)
    await other.aclose()

    async def never(message: PartMessage) -> None:
        raise AssertionError(message)

    with pytest.raises(ChannelEndedError, match="has ended") as ended:
        await daemon.run(never)
    assert not isinstance(ended.value, UnexpectedMessageError)


async def test_an_other_side_that_reads_nothing_is_noticed_and_memory_stays_bounded() -> None:
    daemon, _ = pair()
    for call in range(QUEUED_MESSAGES):
        daemon.tell(AreYouAlive(call))
    with pytest.raises(ChannelEndedError, match="reads nothing"):
        daemon.tell(AreYouAlive(QUEUED_MESSAGES))


async def test_an_answer_reaches_the_call_that_asked() -> None:
    calls, told = Calls[PartMessage](), list[PartMessage]()
    answers: dict[str, PartMessage] = {}

    async def ask(name: str) -> None:
        answers[name] = await calls.ask(told.append, AreYouAlive, seconds=5)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, "a")
        nursery.start_soon(ask, "b")
        await trio.testing.wait_all_tasks_blocked()
        numbers = [message.call for message in told if isinstance(message, AreYouAlive)]
        assert len(set(numbers)) == 2
        for number in reversed(numbers):
            calls.answered(number, Done(number))
        calls.answered(999, Done(999))  # nobody waits for it
    assert {answer.call for answer in answers.values() if isinstance(answer, Done)} == set(numbers)


async def test_calls_fail_when_the_other_side_ends() -> None:
    calls, failed = Calls[PartMessage](), list[str]()

    async def ask() -> None:
        with pytest.raises(ChannelEndedError):
            await calls.ask(lambda _: None, AreYouAlive, seconds=9)
        failed.append("failed")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        calls.fail()
    assert failed == ["failed"]


async def test_a_call_that_nobody_waits_for_is_abandoned(autojump_clock: trio.testing.MockClock) -> None:
    calls, told = Calls[PartMessage](), list[PartMessage]()
    with pytest.raises(trio.TooSlowError):
        await calls.ask(told.append, AreYouAlive, seconds=1, abandon=Done)
    assert [type(message) for message in told] == [AreYouAlive, Done]


async def test_whoever_waits_to_send_goes_on_when_the_channel_ends() -> None:
    daemon, _part = pair()  # nobody reads

    async def nothing(_message: PartMessage) -> None:
        return

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            for number in range(QUEUED_MESSAGES):
                daemon.tell(AreYouAlive(number))
            nursery.start_soon(daemon.send, AreYouAlive(QUEUED_MESSAGES))
            await trio.testing.wait_all_tasks_blocked()
            with trio.move_on_after(0):
                await daemon.run(nothing)
    daemon.tell(AreYouAlive(0))  # and it is dropped from now on
    await daemon.send(AreYouAlive(1))
