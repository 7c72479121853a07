"""`p2pdist.commands.token_input`: where the token comes from, and what is said where others can see it."""

import io
from pathlib import Path

import click
import pytest

from p2pdist.commands.token_input import CREDENTIALS, MAX_TOKEN_FILE_BYTES, read_token
from p2pdist.shared.errors import FaultKind, UserError

TOKEN = "p2pd-AAAA"


class Terminal(io.TextIOWrapper):
    def __init__(self, data: bytes, *, terminal: bool) -> None:
        super().__init__(io.BytesIO(data))
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def use_stdin(monkeypatch: pytest.MonkeyPatch, data: bytes = b"", *, terminal: bool = False) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(data, terminal=terminal))


@pytest.mark.parametrize("content", [b"p2pd-AAAA", b"p2pd-AAAA\n", b"\xef\xbb\xbfp2pd-AAAA\r\n"])
def test_from_a_file_or_standard_input_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    (path := tmp_path / "token").write_bytes(content)
    path.chmod(0o600)
    assert read_token(None, str(path)) == TOKEN
    use_stdin(monkeypatch, content)
    assert read_token(None, "-") == TOKEN
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o606])
def test_a_file_that_others_can_read_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: int
) -> None:
    (path := tmp_path / "token").write_text(TOKEN)
    path.chmod(mode)
    assert read_token(None, str(path)) == TOKEN
    assert f"other users can read the token in {path}" in capsys.readouterr().err


def test_on_the_command_line_it_works_and_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    assert read_token(TOKEN, None) == TOKEN
    assert "warning: every user of this PC" in capsys.readouterr().err


def test_asked_for_on_a_terminal_without_showing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    use_stdin(monkeypatch, terminal=True)
    asked: dict[str, object] = {}

    def prompt(text: str, **options: object) -> str:
        asked.update(options)
        return TOKEN

    monkeypatch.setattr(click, "prompt", prompt)
    assert read_token(None, None) == TOKEN
    assert asked["hide_input"] is True


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ((None, None), FaultKind.USAGE, "A token is needed"),
        ((TOKEN, "file"), FaultKind.USAGE, "Give the token once"),
        ((None, "missing"), FaultKind.BAD_INPUT, "No such file"),
        ((None, "large"), FaultKind.BAD_INPUT, "is no token"),
        ((None, "binary"), FaultKind.BAD_INPUT, "is no token"),
    ],
)
def test_what_is_no_token_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: tuple[str | None, str | None], kind: FaultKind, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "large").write_bytes(b"x" * (MAX_TOKEN_FILE_BYTES + 1))
    (tmp_path / "binary").write_bytes(b"\xff")
    use_stdin(monkeypatch)
    with pytest.raises(UserError, match=words) as caught:
        read_token(*given, kernel_command_line=tmp_path / "none")
    assert caught.value.kind is kind


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory of a machine's credentials, and of its kernel's command line; it has neither."""
    monkeypatch.setenv(CREDENTIALS, str(tmp_path))
    use_stdin(monkeypatch)
    return tmp_path


@pytest.mark.parametrize("name", ["p2pdist.token", "p2pdist.token-file"])
def test_a_service_gets_it_as_a_credential_before_the_kernel_is_asked(
    machine: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (machine / "cmdline").write_text("quiet p2pdist.token=p2pd-OTHER\n")
    (machine / name).write_text(f"{TOKEN}\n")
    (machine / name).chmod(0o400)
    assert read_token(None, None, kernel_command_line=machine / "cmdline") == TOKEN
    assert capsys.readouterr() == ("", "")


def test_on_the_kernels_command_line_it_works_and_is_warned_of(
    machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (machine / "cmdline").write_text(f"BOOT_IMAGE=/vmlinuz quiet p2pdist.token={TOKEN} ro\n")
    assert read_token(None, None, kernel_command_line=machine / "cmdline") == TOKEN
    assert "every user of this PC can read the kernel's command line" in capsys.readouterr().err


@pytest.mark.parametrize("word", [f'p2pdist.token="{TOKEN}"', f'"p2pdist.token={TOKEN}"'])
def test_quotation_marks_on_the_kernels_command_line_are_no_part_of_the_token(machine: Path, word: str) -> None:
    (machine / "cmdline").write_text(f"quiet {word} ro\n")
    assert read_token(None, None, kernel_command_line=machine / "cmdline") == TOKEN


def test_the_kernels_command_line_may_name_a_file(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (machine / "token").write_text(TOKEN)
    (machine / "token").chmod(0o600)
    (machine / "cmdline").write_text(f"p2pdist.token_file={machine}/token p2pdist.token=p2pd-OTHER\n")
    assert read_token(None, None, kernel_command_line=machine / "cmdline") == TOKEN
    assert capsys.readouterr() == ("", "")
    (machine / "token").unlink()
    with pytest.raises(UserError, match="Cannot read the token file"):
        read_token(None, None, kernel_command_line=machine / "cmdline")


def test_a_machine_that_was_given_none_says_so(machine: Path) -> None:
    (machine / "cmdline").write_text("quiet p2pdist.token=\n")
    with pytest.raises(UserError, match="A token is needed"):
        read_token(None, None, kernel_command_line=machine / "cmdline")


def test_what_is_given_by_hand_comes_first(machine: Path) -> None:
    (machine / "p2pdist.token").write_text("p2pd-OTHER")
    (machine / "by-hand").write_text(TOKEN)
    assert read_token(None, str(machine / "by-hand")) == TOKEN
