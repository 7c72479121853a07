"""`p2pdist.shared.repeated_lines`: what is written of a line that comes again and again."""

from p2pdist.shared.repeated_lines import (
    FREE_LINES,
    LONGEST_SILENCE_SECONDS,
    MAX_COMPARED_CHARS,
    RepeatedLines,
    key_of,
)

DAY = 86_400.0


def test_what_comes_every_few_seconds_is_written_ever_more_seldom() -> None:
    lines = RepeatedLines()
    written = [(now, left) for n in range(int(DAY / 5)) if (left := lines.count(("x",), now := 5.0 * n)) is not None]
    assert [now for now, _ in written[:FREE_LINES]] == [0.0, 5.0, 10.0, 15.0, 20.0]
    assert [now for now, _ in written[FREE_LINES : FREE_LINES + 4]] == [80.0, 200.0, 440.0, 920.0]
    assert len(written) <= FREE_LINES + 6 + 24
    assert sum(left for _, left in written) + len(written) >= DAY / 5 - LONGEST_SILENCE_SECONDS / 5, "all are counted"


def test_after_an_hour_of_silence_a_line_is_new() -> None:
    lines = RepeatedLines()
    assert [lines.count(("x",), 0.0) for _ in range(FREE_LINES + 2)] == [0] * FREE_LINES + [None] * 2
    assert lines.count(("x",), LONGEST_SILENCE_SECONDS - 1) == 2, "within the hour it tells what was left out"
    assert [lines.count(("x",), 3 * LONGEST_SILENCE_SECONDS) for _ in range(2)] == [0, 0]


def test_other_lines_are_not_held_up() -> None:
    lines = RepeatedLines()
    for _ in range(9):
        lines.count(("x",), 0.0)
    assert lines.count(("y",), 0.0) == 0


def test_what_a_line_stands_for_is_not_lost() -> None:
    lines = RepeatedLines()
    counts = [lines.count(("x",), 0.0, left_out=3) for _ in range(FREE_LINES + 1)]
    assert counts == [3] * FREE_LINES + [None]
    assert lines.count(("x",), 61.0, left_out=3) == 3 + 1 + 3


def test_memory_is_bounded() -> None:
    lines = RepeatedLines(max_lines=2)
    for name in "aaaaaabc":
        lines.count((name,), 0.0)
    assert lines.count(("a",), 1.0) == 0, "forgotten: b and c came later"
    assert len(lines._seen) == 2
    assert len("".join(key_of("error", {"reason": "x" * 10**6}))) < MAX_COMPARED_CHARS + 20


def test_numbers_do_not_tell_lines_apart_but_names_do() -> None:
    assert key_of("error", {"event": "full", "reason": "17 bytes", "retry_seconds": 0.5}) == key_of(
        "error", {"event": "full", "reason": "4 bytes", "retry_seconds": 30}
    )
    assert key_of("error", {"event": "full"}) != key_of("error", {"event": "gone"})
    assert key_of("info", {"patch": "kb1"}) != key_of("info", {"patch": "kb2"})
    assert key_of("info", {"event": "x", "line_yields": True}) == key_of("info", {"event": "x"})
