"""`p2pdist limiter`: what the server says of the site's line, for people."""

import io

from msgspec.structs import replace
from rich.console import Console

from p2pdist.commands.limiter_view import line_view
from p2pdist.local_api.delivery_answers import LineLimit
from tests.helpers.daemon_answers import LIMITER

LINE = LineLimit(
    rate=1_000_000,
    capacity=2_500_000,
    configured=False,
    state="yield",
    reason="a business transfer is running",
    seconds={"ramping up": 2.0, "a business transfer is running": 61.0},
    yield_seconds=61.0,
    learned_seconds=0.0,
)


def shown(line: LineLimit | None) -> str:
    console = Console(width=120, file=io.StringIO())
    console.print(line_view(replace(LIMITER, site="oslo", line=line, profile="Office hours")))
    output: str = console.file.getvalue()  # type: ignore[attr-defined]
    return output


def test_rate_reason_and_times() -> None:
    text = shown(LINE)
    for words in ("oslo", "Office hours", "8 Mbit/s", "a business transfer is running", "20 Mbit/s, learned"):
        assert words in text
    assert text.index("a business transfer is running", text.index("time")) < text.index("ramping up")


def test_what_was_learned_before_is_dated() -> None:
    assert "learned 10 m 00 s ago" in shown(replace(LINE, learned_seconds=600.0))
    assert "ago" not in shown(LINE)
    assert "ago" not in shown(replace(LINE, configured=True, learned_seconds=None))


def test_nothing_sent_yet() -> None:
    assert "nothing to this site" in shown(None)


def test_what_is_old_is_not_told_as_if_it_held() -> None:
    text = shown(replace(LINE, current=False))
    assert "nothing is sent to this site now" in text
    assert "it was last" in text
    assert "8 Mbit/s" not in text
