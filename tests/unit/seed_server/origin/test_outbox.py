"""`seed_server.origin.outbox`."""

import trio
import trio.testing

from bandwidth.core.units import BytesPerSecond
from p2pdist.shared.wire.channels import UnknownKind, decode_from_server
from p2pdist.shared.wire.frames import FRAME_HEADER_BYTES
from p2pdist.shared.wire.messages import FromServer, RepositoryChanged, Unavailable
from seed_server.line.control_budget import LEAST_BURST_BYTES, ControlBudget
from seed_server.origin.control_pacer import ControlPacer
from seed_server.origin.outbox import MAX_WAITING, Outbox


def outbox_and_budget() -> tuple[Outbox, ControlPacer, ControlBudget]:
    budget = ControlBudget(trio.current_time())
    pacer = ControlPacer(budget, lambda _: BytesPerSecond(1_000))
    return Outbox(pacer), pacer, budget


def changed(version: int) -> RepositoryChanged:
    return RepositoryChanged(timestamp_version=version)


async def next_message(outbox: Outbox) -> FromServer | None:
    frame = await outbox.next_frame()
    if frame is None:
        return None
    message = decode_from_server(frame[FRAME_HEADER_BYTES:])
    assert not isinstance(message, UnknownKind)
    return message


async def test_newest_of_each_kind_and_a_ping_before_all(autojump_clock: trio.testing.MockClock) -> None:
    outbox, _, _ = outbox_and_budget()
    gone = Unavailable(torrent="0" * 64, reason="")
    for message in (changed(1), changed(2), changed(3)):
        outbox.put("changed", message)
    outbox.put("gone", gone)
    outbox.put_ping()
    outbox.put_ping()
    # the first had its turn before there was a newer one
    assert [await next_message(outbox) for _ in range(4)] == [None, changed(1), changed(3), gone]
    with trio.move_on_after(1.0) as nothing:
        await outbox.next_frame()
    assert nothing.cancelled_caught


async def test_without_room_on_the_line_messages_wait_and_pings_do_not(autojump_clock: trio.testing.MockClock) -> None:
    outbox, pacer, budget = outbox_and_budget()
    budget.spend(LEAST_BURST_BYTES + 1_000)
    outbox.put("changed", changed(1))
    outbox.put("changed", changed(2))
    outbox.put_ping()
    assert await next_message(outbox) is None
    with trio.move_on_after(0.9) as nothing:
        await outbox.next_frame()
    assert nothing.cancelled_caught
    await trio.sleep(0.2)
    pacer.release(trio.current_time())
    assert await next_message(outbox) == changed(2)


async def test_what_has_had_its_turn_waits_for_no_room_and_only_for_a_ping(
    autojump_clock: trio.testing.MockClock,
) -> None:
    outbox, _, budget = outbox_and_budget()
    budget.spend(LEAST_BURST_BYTES + 1_000)
    outbox.put("changed", changed(1))
    outbox.put_paid(changed(2))
    outbox.put_paid(changed(3))
    outbox.put_ping()
    assert [await next_message(outbox) for _ in range(2)] == [None, changed(3)]


async def test_a_message_is_made_when_its_turn_has_come(autojump_clock: trio.testing.MockClock) -> None:
    outbox, _, _ = outbox_and_budget()
    outbox.put("first", changed(1))
    news: list[RepositoryChanged | None] = [None]
    outbox.put("none", lambda: None)
    outbox.put("made", lambda: news[0])
    news[0] = changed(7)
    assert [await next_message(outbox) for _ in range(2)] == [changed(1), changed(7)]


async def test_a_reader_that_does_not_read_holds_one_frame_and_a_bounded_rest(
    autojump_clock: trio.testing.MockClock,
) -> None:
    outbox, pacer, _ = outbox_and_budget()
    for number in range(MAX_WAITING + 1):
        assert not outbox.full
        outbox.put(str(number), changed(number))
        pacer.release(trio.current_time() + number)
    assert outbox.full


async def test_a_closed_one_takes_nobody_s_turn(autojump_clock: trio.testing.MockClock) -> None:
    outbox, pacer, budget = outbox_and_budget()
    budget.spend(LEAST_BURST_BYTES)
    outbox.put("changed", changed(1))
    outbox.close()
    await trio.sleep(10.0)
    pacer.release(trio.current_time())
    with trio.move_on_after(1.0) as nothing:
        await outbox.next_frame()
    assert nothing.cancelled_caught


async def test_who_sends_is_called_when_there_is_something_to_send(autojump_clock: trio.testing.MockClock) -> None:
    outbox, pacer, budget = outbox_and_budget()
    calls: list[bool] = []
    outbox.on_frame = lambda: calls.append(outbox.has_frame)
    budget.spend(LEAST_BURST_BYTES + 1_000)
    outbox.put("changed", changed(1))
    assert (calls, outbox.has_frame) == ([], False), "it waits for room on the line"
    outbox.put_ping()
    assert calls == [True]
    assert (outbox.take_ping(), outbox.take_ping(), outbox.has_frame) == (True, False, False)
    outbox.put_paid(changed(2))
    assert await next_message(outbox) == changed(2)
    await trio.sleep(1.1)
    pacer.release(trio.current_time())
    assert calls == [True] * 3
    assert await next_message(outbox) == changed(1)
    assert not outbox.has_frame
