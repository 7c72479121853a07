"""`p2pdist.shared.log_limit`: what is written of a flood, and what it costs."""

from p2pdist.shared.log_limit import LOG_LINE_SECONDS, MAX_LOG_SOURCES, OTHERS, LogLimit, LogLine


def test_the_first_is_written_at_once_and_the_rest_of_the_minute_is_counted() -> None:
    limit = LogLimit()
    assert limit.line("refused", "10.0.0.1", 0.0) == LogLine("10.0.0.1", 0)
    assert [limit.line("refused", "10.0.0.1", at) for at in (0.0, 1.0, LOG_LINE_SECONDS - 0.1)] == [None] * 3
    assert limit.line("refused", "10.0.0.1", LOG_LINE_SECONDS) == LogLine("10.0.0.1", 3)
    assert limit.line("refused", "10.0.0.1", LOG_LINE_SECONDS + 1) is None
    assert limit.line("refused", "10.0.0.1", 2 * LOG_LINE_SECONDS) == LogLine("10.0.0.1", 1)


def test_reasons_and_sources_are_counted_apart() -> None:
    limit = LogLimit()
    for reason in ("refused", "malformed"):
        for source in ("10.0.0.1", "10.0.0.2"):
            assert limit.line(reason, source, 0.0) == LogLine(source, 0)


def test_more_sources_than_there_is_room_for_share_one_line_a_minute() -> None:
    limit = LogLimit()
    for number in range(MAX_LOG_SOURCES):
        assert limit.line("refused", str(number), 0.0) is not None
    assert limit.line("refused", "one more", 1.0) == LogLine(OTHERS, 0)
    assert [limit.line("refused", f"stranger {number}", 2.0) for number in range(1_000)] == [None] * 1_000
    assert limit.line("refused", "0", 2.0) is None
    # another reason has a line of its own
    assert limit.line("malformed", "one more", 3.0) == LogLine(OTHERS, 0)


def test_lines_a_minute_and_memory_are_bounded_whoever_takes_part() -> None:
    limit = LogLimit(max_sources=10)
    for minute in range(5):
        start = minute * LOG_LINE_SECONDS
        lines = [limit.line("refused", str(number), start + number / 1_000) for number in range(20_000)]
        assert sum(line is not None for line in lines) <= 11
        assert len(limit._counted) <= 10


def test_whoever_was_written_of_longest_ago_makes_room() -> None:
    limit = LogLimit(max_sources=2)
    limit.line("refused", "a", 0.0)
    limit.line("refused", "b", 1.0)
    assert limit.line("refused", "a", LOG_LINE_SECONDS) == LogLine("a", 0)
    assert limit.line("refused", "c", LOG_LINE_SECONDS + 1) == LogLine("c", 0)  # in place of b
    assert limit.line("refused", "a", LOG_LINE_SECONDS + 2) is None
