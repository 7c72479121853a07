"""Every command writes to whatever it is given: any encoding, a narrow or dumb terminal, a full disk, nothing."""

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from rich.cells import cell_len

from bandwidth.commands import main as bandwidth_main
from p2pdist.commands import main as p2pdist_main
from p2pdist.shared.language import use
from seed_server.commands import main as seed_server_main
from seed_server.settings.home import ServerHome
from seed_server.store.people_rows import PersonRow
from seed_server.store.rows import ServedPayload
from tests.helpers.people import copied, new_home

PROGRAMS: dict[str, tuple[click.Group, Callable[[], None]]] = {
    "bandwidth": (bandwidth_main.bandwidth, bandwidth_main.main),
    "p2pdist": (p2pdist_main.p2pdist, p2pdist_main.main),
    "seed-server": (seed_server_main.seed_server, seed_server_main.main),
}
WRITING = {
    "bandwidth profiles copy", "seed-server init", "seed-server keys new", "seed-server approver new-key",
    "seed-server serve", "p2pdist run", "p2pdist enrol", "p2pdist doctor",
}  # fmt: skip
"""They make files, ask, or run on."""
TABLES = (
    "status", "status office", "list", "endpoints", "sites", "people list", "token list", "audit list", "rollout list",
    "keys list", "exception list", "profile show", "template list", "approver list", "api-token list", "prepared",
)  # fmt: skip
ENCODINGS = ("ascii", "cp932")  # others, and UTF-8, can write more
NOW = 1_800_000_000.0
FULL = "error: The output cannot be written: No space left on device.\n"


def leaves(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for below, one in command.commands.items():
            yield from leaves(one, f"{name} {below}")
    else:
        yield name, command


COMMANDS_BELOW = {name: one for program, (group, _) in PROGRAMS.items() for name, one in leaves(group, program)}


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


class Told:
    """Runs a program in this process, and returns what it has written, in the output's encoding."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(self, line: str, *more: str, encoding: str, terminal: bool = False, **environment: str) -> str:
        written = io.BytesIO()
        stream = (Terminal if terminal else io.TextIOWrapper)(written, encoding=encoding, write_through=True)
        program, *words = line.split(" ")
        with self._monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", stream)
            patch.setattr(sys, "stderr", stream)
            patch.setattr(sys, "argv", [program, *words, *more])
            for name, value in environment.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit):  # anything else is a traceback
                PROGRAMS[program][1]()
            stream.flush()
        return written.getvalue().decode("utf-8" if encoding == "ascii" else encoding)  # click mistrusts ASCII


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    monkeypatch.chdir(tmp_path)
    yield Told(monkeypatch)
    use("en")


def arguments_of(command: click.Command, folder: Path) -> list[str]:
    """Return something for all that the command must be given."""
    home = ["--home", str(folder / "支店")] if any("--home" in one.opts for one in command.params) else []
    needed = [one for one in command.params if one.required and one.opts[0] != "--home"]
    options = [word for one in needed if isinstance(one, click.Option) for word in (one.opts[0], _some(one))]
    return [*home, *options, *(_some(one) for one in needed if isinstance(one, click.Argument))]


def _some(parameter: click.Parameter) -> str:
    if isinstance(parameter.type, click.Choice):
        return str(parameter.type.choices[0])
    return "1" if isinstance(parameter.type, click.types.IntParamType | click.types.FloatParamType) else "日本ü×"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_help_text_is_written_in_any_encoding(told: Told, encoding: str) -> None:
    for name in COMMANDS_BELOW:
        said = told(name, "--help", encoding=encoding, COLUMNS="40")
        assert "Usage:" in said, name


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_command_says_in_any_encoding_what_is_missing(told: Told, encoding: str, tmp_path: Path) -> None:
    for name, command in COMMANDS_BELOW.items():
        if name not in WRITING:
            said = told(name, *arguments_of(command, tmp_path), encoding=encoding, COLUMNS="40")
            assert said, name


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> ServerHome:
    context, _ = copied(new_home(tmp_path_factory.mktemp("made")), tmp_path_factory.mktemp("served"))
    with context.database() as database:
        for number in range(12):
            database.add_endpoint(f"{number:064}", f"経理部のパソコン-{number:04}", NOW)
        database.add_person(PersonRow("alice", ("operator",), ("東京",), (), NOW, "root"))
        payload = ServedPayload(
            patch_id="office", version="1.2", title="オフィスの更新プログラム ÷ ü", severity="high", cvss=9.8,
            file_name="更新.msi", sha256=64 * "0", length_bytes=1 << 30, torrent_hash=64 * "1",
            piece_length_bytes=16_384, piece_count=1, sequence=1, published_at=NOW,
        )  # fmt: skip
        database.add_patch(payload)
    return context.home


@pytest.mark.parametrize(("language", "encoding"), [("en", "ascii"), ("ja", "latin-1"), ("ja", "cp932")])
def test_every_table_is_written_in_any_encoding(told: Told, served: ServerHome, language: str, encoding: str) -> None:
    for line in TABLES:
        said = told(f"seed-server {line}", "--home", str(served.root), "--lang", language, encoding=encoding)
        assert said, line


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_of_forty_columns_shows_whole_tables(
    told: Told, served: ServerHome, environment: dict[str, str]
) -> None:
    for line in TABLES:
        arguments = ["--home", str(served.root), "--lang", "en"]
        said = told(f"seed-server {line}", *arguments, encoding="utf-8", terminal=True, COLUMNS="40", **environment)
        plain = re.sub("\x1b\\[[0-9;]*m", "", said)
        assert "\x1b" not in plain, line
        if environment:
            assert "\x1b[3" not in said, line  # a colour
        if line.startswith("status"):
            assert [row for row in plain.splitlines() if cell_len(row) > 40] == [], line


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    ("program", "redirected", "code", "said"),
    [
        ("p2pdist", "--help >/dev/full", 8, FULL),
        (
            "bandwidth",
            "explain gentle >/dev/full",
            1,
            FULL,
        ),
        ("bandwidth", "explain gentle >&-", 0, ""),
        ("p2pdist", "status --home none >&- 2>&-", 3, ""),
        ("p2pdist", "--help | head -1", 0, ""),
    ],
)
def test_a_full_disk_and_a_closed_output_end_without_a_traceback(
    tmp_path: Path, program: str, redirected: str, code: int, said: str
) -> None:
    run = f"from {program}.commands.main import main; main()"
    ran = subprocess.run(
        ["/bin/sh", "-c", f'exec 3>&1; "$0" -c "$1" {redirected}', sys.executable, run],
        cwd=tmp_path, env=os.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (code, said)
