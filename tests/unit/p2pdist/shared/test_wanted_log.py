"""`p2pdist.shared.wanted_log` and `p2pdist.shared.lazy_log`: a command's first line is configured as others."""

import contextlib
import logging
from collections.abc import Iterator

import pytest
import structlog

from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.wanted_log import want_log


@pytest.fixture(autouse=True)
def no_log() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@contextlib.contextmanager
def no_handlers() -> Iterator[None]:
    root = logging.getLogger()
    before, root.handlers[:] = list(root.handlers), []
    try:
        yield
    finally:
        root.handlers[:] = before


def test_the_first_line_is_written_at_the_level_that_was_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    want_log("warning")
    lazy_log().info("too small")
    lazy_log().warning("large enough", patch="acme\x1b[2J")
    said = capsys.readouterr().err
    assert ('event="large enough"' in said, "too small" in said, "\x1b" in said) == (True, False, False)


def test_a_warning_of_a_library_is_the_first_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    with no_handlers():
        want_log("warning")
        logging.getLogger("some.library").warning("of theirs")
        logging.getLogger("some.library").info("too small")
    said = capsys.readouterr().err
    assert ("library=some.library" in said, "of theirs" in said, "too small" in said) == (True, True, False)
