"""`p2pdist.shared.console`: what a log may show."""

import io
import json
import logging
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
import structlog
from rich.table import Table
from rich.text import Text

from p2pdist.shared.console import print_json, run_command_line
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.log_limit import LOG_LINE_SECONDS
from p2pdist.shared.logs import LibraryLog, configure_log
from p2pdist.shared.terminal import PIPE_COLUMNS, terminal, wide_terminal


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


def test_a_console_draws_texts_and_obeys_none(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("[b]name")
    table.add_row("[/x] :skull:")
    terminal().print(table)
    terminal().print(Text("\x1b[2J\x9b"))
    out = capsys.readouterr().out
    assert "[b]name" in out
    assert "[/x] :skull:" in out
    assert "?[2J?" in out
    assert "\x1b" not in out


def test_json_escapes_what_is_no_visible_sign_and_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    text = "Büro\x9b\x1b\u202e\udcff\U000e0001 ÷"
    print_json({"name": text})
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable()
    assert "Büro" in out
    assert json.loads(out) == {"name": text}


def test_a_log_line_stays_one_line_and_names_what_it_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", screen := Screen(terminal=False))
    configure_log("info")
    structlog.get_logger().info("endpoint enrolled", hostname="a\x1b[31m\nlevel=error", count=3, denied=False)
    (line,) = screen.getvalue().splitlines()
    assert r'hostname="a\\x1b[31m\\nlevel=error"' in line
    assert line.endswith("count=3 denied=false")


def library_log(line: int, text: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord("zeroconf", logging.WARNING, "incoming.py", line, text, arguments, None)


def test_what_libraries_log_is_one_line_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", screen := Screen(terminal=False))
    configure_log("info")
    handler = LibraryLog()
    handler.emit(library_log(1, "Received %s", "\x1b[2J\nlevel=error"))
    handler.emit(library_log(2, "plain"))
    first, second = screen.getvalue().splitlines()
    assert r"\x1b[2J" in first
    assert second.endswith("level=warning event=plain library=zeroconf left_out=0")


def test_a_place_of_a_library_has_one_line_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", screen := Screen(terminal=False))
    configure_log("info")
    handler = LibraryLog()
    for number in range(1_000):
        handler.emit(library_log(1, f"a bad packet from port {number}"))
    later = library_log(1, "a bad packet")
    later.created += LOG_LINE_SECONDS
    handler.emit(later)
    first, last = screen.getvalue().splitlines()
    assert "port 0" in first
    assert "left_out=999" in last


def test_a_program_s_log_takes_in_its_libraries() -> None:
    program = (
        "import logging; from p2pdist.shared.logs import configure_log; configure_log('warning'); "
        "logging.getLogger('asyncio').error('a bad packet \\x9b'); logging.getLogger('httpx').info('a request')"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    (line,) = ran.stderr.splitlines()
    assert r'event="a bad packet \\x9b" library=asyncio' in line


@pytest.mark.parametrize(
    ("module", "command", "text"),
    [
        ("bandwidth.commands.main", "check", 'name = "x"\ntime_zone = "UTC"\n'),
        ("seed_server.commands.main", "lint", 'title = "x"\n'),
    ],
)
def test_a_file_whose_name_is_no_text_ends_no_command_with_a_traceback(
    tmp_path: Path, module: str, command: str, text: str
) -> None:
    file = os.fsencode(tmp_path) + b"/\xff\xe9.toml"
    Path(os.fsdecode(file)).write_text(text)
    ran = subprocess.run(
        [sys.executable, "-c", f"from {module} import main; main()", command, file],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
    )
    assert rb"\udcff\udce9.toml" in ran.stdout


def test_a_pipe_is_as_wide_as_it_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert wide_terminal().width == PIPE_COLUMNS, "whole names"
    monkeypatch.setenv("COLUMNS", "80")
    assert wide_terminal().width == 80


def test_a_failure_is_a_document_where_one_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise UserError("The disk is full. Make room.", FaultKind.STORAGE)

    for arguments, document in ((["p2pdist"], None), (["p2pdist", "status", "--json"], {
        "error": {"kind": "storage", "message": "The disk is full. Make room.", "exit_code": 8}
    })):  # fmt: skip
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as ended:
            run_command_line(fails)
        out, err = capsys.readouterr()
        assert ended.value.code == 8
        assert (json.loads(out) if out else None) == document
        assert err == "error: The disk is full. Make room.\n"
