"""`p2pdist.shared.console`: what a log may show."""

import io
import secrets

import pytest
import structlog

from p2pdist.shared.console import configure_log


class Screen(io.StringIO):
    """A terminal, or a file."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize("terminal", [True, False])
def test_an_unexpected_error_is_logged_without_the_secrets_at_hand(
    monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    monkeypatch.setattr("sys.stderr", screen := Screen(terminal=terminal))
    configure_log("info")
    secret = secrets.token_hex()
    try:
        raise ValueError("a bug")
    except ValueError:
        structlog.get_logger().exception("a problem of our own")
    assert "a problem of our own" in screen.getvalue()
    assert "ValueError: a bug" in screen.getvalue()
    assert secret not in screen.getvalue()
