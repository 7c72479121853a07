"""`p2pdist` as a person runs it, without a daemon; with one: tests/swarm/."""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from rich.console import Console, RenderableType

from p2pdist.commands.main import p2pdist
from p2pdist.commands.status_view import peers_view, status_view
from p2pdist.daemon import composition
from p2pdist.daemon.home_lock import hold_lock
from p2pdist.identity import enrolment
from p2pdist.local_api.delivery_answers import NetworkPartStatus, Peer, PeersAnswer, StatusAnswer, StatusPatch
from p2pdist.local_api.messages import AnswerT
from p2pdist.pc import process_memory, system
from p2pdist.settings import EndpointHome, default_home
from p2pdist.shared.console import ExitCode, run_command_line
from p2pdist.shared.terminal import PIPE_COLUMNS
from p2pdist.shared.wire.enrolment import Token, encode_token

ID = "c3q6ydd2fa6fcjhw5mmendpzgi"
TOKEN = encode_token(Token(address="127.0.0.1", web_port=1, ca_pin=bytes(32), root_pin=bytes(32), secret=bytes(16)))
PATCH = StatusPatch(
    id="acme-office", version="2.1.12345", title="", severity="low", state="verifying", progress=0.999,
    length_bytes=999_900_000, bytes_from_origin=999_900_000, bytes_from_peers=999_900_000, bytes_wasted=0,
    seconds=3_599.0, path=None, error=None, install=None, install_reason=None,
)  # fmt: skip
STATUS = StatusAnswer(
    endpoint_id=ID, site="leeds", server="hq", server_connection="connected", version="1", problems=[],
    patches=[PATCH], installs={},
)  # fmt: skip
PEER = Peer(
    endpoint_id=ID, address="192.168.100.254", port=7691, sources=["mdns", "server"], connected=False,
    reason="not needed: this endpoint has all pieces", bytes_received=999_900_000, bytes_sent=999_900_000,
)  # fmt: skip


def shown(view: Callable[[AnswerT, int], RenderableType], answer: AnswerT, columns: int) -> str:
    console = Console(file=io.StringIO(), width=columns, color_system=None)
    console.print(view(answer, columns))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def peers_shown(answer: PeersAnswer, _columns: int) -> RenderableType:
    return peers_view(answer)


@pytest.mark.parametrize("columns", [80, 120, PIPE_COLUMNS])
def test_tables_cut_no_number_state_or_address(columns: int) -> None:
    text = shown(status_view, STATUS, columns)
    for words in ("acme-office", "verifying", " 99%", "59 m 59 s"):
        assert words in text
    assert text.count("999.9 MB") == 3
    built = replace(STATUS, patches=[replace(each, bytes_built=999_900_000) for each in STATUS.patches])
    assert "built" not in text
    assert "999.9 MB were" in shown(status_view, built, columns)
    text = shown(peers_shown, PeersAnswer([PEER]), columns)
    assert text.count("999.9 MB") == 2
    for words in ("192.168.100.254:7691", "mdns+server", "not needed:"):
        assert words in text
    assert "…" not in text or columns == 80


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (NetworkPartStatus(True, "p2pdist", True, "", 1), "network part a process of its own, as p2pdist\n"),
        (NetworkPartStatus(False, "pat", False, "the daemon is not run by root", 3),
         "network part with the daemon's rights, as pat, not running now (the daemon is not run by root)\n"),
    ],
)  # fmt: skip
def test_status_says_who_speaks_with_the_network(part: NetworkPartStatus, words: str) -> None:
    assert words in shown(status_view, replace(STATUS, network_part=part), 120)


def test_an_ipv6_neighbour_has_brackets() -> None:
    assert "[2001:db8::1]:7691" in shown(peers_shown, PeersAnswer([replace(PEER, address="2001:db8::1")]), 120)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("enrol", "nonsense"), ExitCode.BAD_INPUT, "not a whole enrolment token"),
        (("enrol", TOKEN, "--address", "999"), ExitCode.USAGE, "not an IP address"),
        (("enrol", TOKEN, "--address", "198.51.100.7"), ExitCode.BAD_INPUT, "not an address of this PC"),
        (("enrol", TOKEN, "--root-pin", "f" * 63), ExitCode.BAD_INPUT, "64 hexadecimal digits"),
        (("enrol", TOKEN, "--root-pin", "f" * 64), ExitCode.REFUSED, "this PC must have ffff"),
        (("status",), ExitCode.NOT_SET_UP, "not enrolled"),
        (("peers", "--watch"), ExitCode.NOT_SET_UP, "not enrolled"),
        (("run",), ExitCode.NOT_SET_UP, "not enrolled"),
        (("why", ""), ExitCode.BAD_INPUT, "patch id '' is not valid"),
        (("why", "acme 2.1"), ExitCode.BAD_INPUT, "patch id 'acme 2.1' is not valid"),
    ],
)
def test_mistakes_are_named_without_a_traceback(
    arguments: tuple[str, ...], code: ExitCode, words: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["p2pdist", *arguments, "--home", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        run_command_line(p2pdist)
    output, errors = capsys.readouterr()
    assert ended.value.code == code
    assert words in errors
    assert "Traceback" not in errors
    assert not output


@pytest.mark.parametrize("options", [("--watch",), ("--json", "--watch"), ()])
def test_a_daemon_that_is_not_running_is_said_at_once(
    options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    enrolment = EndpointHome(tmp_path).enrolment
    enrolment.parent.mkdir()
    enrolment.write_text("{}")
    monkeypatch.setattr(sys, "argv", ["p2pdist", "status", *options, "--home", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        run_command_line(p2pdist)
    assert ended.value.code == ExitCode.NOT_RUNNING
    assert "not running" in capsys.readouterr().err


@pytest.mark.parametrize(("option", "code"), [("--new-key", ExitCode.BUSY), ("--force", ExitCode.UNREACHABLE)])
def test_a_running_daemon_keeps_its_identity(
    option: str, code: ExitCode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["p2pdist", "enrol", TOKEN, "--home", str(tmp_path), "--force", option])
    with hold_lock(EndpointHome(tmp_path)), pytest.raises(SystemExit) as ended:
        run_command_line(p2pdist)
    assert ended.value.code == code, capsys.readouterr()


@pytest.mark.parametrize(("pin", "code"), [("0" * 64, ExitCode.UNREACHABLE), ("F" * 64, ExitCode.REFUSED)])
def test_an_image_s_pin_of_the_trust_root_holds_for_every_token(
    pin: str, code: ExitCode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.toml").write_text(f'root_pin = "{pin}"\n')
    monkeypatch.setattr(sys, "argv", ["p2pdist", "enrol", TOKEN, "--home", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        run_command_line(p2pdist)
    assert ended.value.code == code, capsys.readouterr()


def test_the_address_that_a_pc_was_enrolled_with_is_the_daemon_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[str | None] = []

    async def enrolled(_home: Path, _token: str, **_options: object) -> SimpleNamespace:
        return SimpleNamespace(endpoint_id=ID, server_name="hq")

    async def daemon(_home: EndpointHome, address: str | None) -> None:
        used.append(address)

    monkeypatch.setattr(enrolment, "enrol", enrolled)
    monkeypatch.setattr(composition, "run_daemon", daemon)
    monkeypatch.setattr(process_memory, "keep_small", lambda: None)
    monkeypatch.setattr(system, "give_way", lambda: None)

    def command(*words: str) -> str:
        done = CliRunner().invoke(p2pdist, [*words, "--home", str(tmp_path)], catch_exceptions=False)
        assert done.exit_code == 0
        return done.output

    assert "--address" not in command("enrol", TOKEN, "--address", "127.0.0.1"), "the daemon knows it"
    command("run")
    command("run", "--address", "127.0.0.2")  # for once
    command("run")
    command("enrol", TOKEN, "--force")
    command("run")
    assert used == ["127.0.0.1", "127.0.0.2", "127.0.0.1", None]


@pytest.mark.parametrize(
    ("platform", "home"),
    [
        ("linux", "/var/lib/p2pdist"),
        ("freebsd14", "/var/lib/p2pdist"),
        ("darwin", "/Library/Application Support/p2pdist"),
        ("win32", "C:\\ProgramData\\p2pdist"),
    ],
)
def test_the_home_is_where_no_variable_of_a_user_s_leads(
    platform: str, home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_DIRS", "/home/him/.local/share/flatpak/exports/share")
    assert str(default_home(platform)) == home
