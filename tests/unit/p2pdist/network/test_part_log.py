"""`p2pdist.network.part_log`: what the network part logs is passed on, and cannot draw or flood."""

import pytest
import trio
import trio.testing

from p2pdist.network.part_log import BYTES_PER_SECOND, MAX_BURST_BYTES, MAX_LOG_LINE_BYTES, LogBudget, pass_on


async def test_lines_are_passed_on_and_draw_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    send, receive = trio.testing.memory_stream_one_way_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pass_on, receive)
        await send.send_all(b"one\nt")
        await send.send_all(b"wo\n\x1b[2J\xff\n" + b"x" * (2 * MAX_LOG_LINE_BYTES) + b"\nlast")
        await send.aclose()
    said = capsys.readouterr().err.splitlines()
    assert said[:2] == ["one", "two"]
    assert said[2].startswith("?[2J")
    assert max(map(len, said)) <= MAX_LOG_LINE_BYTES
    assert said[-1] == "last"


def test_a_flood_is_left_out_and_counted() -> None:
    budget, line = LogBudget(0.0), "x" * 1_000
    written = [budget.line(line, 0.0) for _ in range(1_000)]
    assert sum(map(len, written)) <= MAX_BURST_BYTES + 1_000
    left_out = written.count("")
    assert budget.line("", 0.0) == f" [{left_out} lines before this one were left out]\n"
    assert sum(len(budget.line(line, float(second))) for second in range(1, 101)) <= 100 * BYTES_PER_SECOND
