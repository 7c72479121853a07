"""`seed-server endpoints unmanaged`: machines that are no enrolled PCs, and whether anybody tells of them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from p2pdist.shared.language import TRANSLATIONS, use
from p2pdist.shared.wire.neighbours_seen import NeighbourSeen, NeighboursSeen
from seed_server.commands.main import seed_server
from seed_server.commands.unmanaged_view import MACHINES_OF_A_SCREEN
from seed_server.fleet.context import Context
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.store.rows import SeenRow

Run = Callable[..., str]


@pytest.fixture
def context(tmp_path: Path) -> Context:
    home = Context(ServerHome(tmp_path / "home"))
    initialise(home.home, ServerSettings(name="hq", address="127.0.0.1"), passphrase=None, now=home.clock.now())
    with home.database() as database:
        for name in ("a", "b"):
            database.add_endpoint(name * 26, f"pc-{name}", 1.0)
            seen = SeenRow(site="leeds", address="10.0.0.1", software="", connected=False, last_seen_at=1.0)
            database.save_seen({name * 26: seen})
    return home


@pytest.fixture
def run(context: Context) -> Run:
    def run(*words: str) -> str:
        command = [*words, "--home", str(context.home.root)]
        result = CliRunner().invoke(seed_server, command, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return " ".join(result.stdout.split()) if "--json" not in words else result.stdout

    return run


def seen(*numbers: int) -> NeighboursSeen:
    cards = (f"52:54:00:00:{n // 256:02x}:{n % 256:02x}" for n in numbers)
    return NeighboursSeen(("52:54:00:99:00:01",), tuple(NeighbourSeen(card, "2001:db8::1:2:3:4") for card in cards))


def test_what_is_not_known_is_said(context: Context, run: Run) -> None:
    text = run("endpoints", "unmanaged", "--site", "leeds")
    assert "PCs are not asked who is beside them" in text
    assert "None of 2 PCs has told who is beside it, so nothing is known." in text
    settings = context.home.settings
    settings.write_text(settings.read_text() + "\nunmanaged_neighbours = true\n")
    assert "not asked" not in run("endpoints", "unmanaged")
    with context.database() as database:
        database.save_neighbours({"a" * 26: seen()}, 5.0)
    assert "No other machine is seen; 1 of 2 PCs tell." in run("endpoints", "unmanaged")


def test_machines_are_shown_with_how_many_pcs_see_them(context: Context, run: Run) -> None:
    with context.database() as database:
        database.save_neighbours({"a" * 26: seen(1, 2)}, 0.0)
        database.save_neighbours({"b" * 26: seen(2)}, 0.0)
    text = run("endpoints", "unmanaged")
    assert "leeds 52:54:00:00:00:02 2001:db8::1:2:3:4 2 1970-01-01" in text
    with context.database() as database:
        database.forget_endpoint("b" * 26)
        database.add_endpoint("c" * 26, "pc-c", 1.0)
    assert "1 of 2 PCs tell who is beside them; some of the others may be in this list." in run(
        "endpoints", "unmanaged"
    )
    document = json.loads(run("endpoints", "unmanaged", "--json"))
    assert [(one["seen_by"], one["site"]) for one in document["machines"]] == [(1, "leeds")] * 2
    assert (document["asked"], document["telling"], document["pcs"], document["more"]) == (False, 1, 2, False)


@pytest.mark.parametrize("language", ["en", *TRANSLATIONS])
def test_many_fit_a_screen(context: Context, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    with context.database() as database:
        database.save_neighbours({"a" * 26: seen(*range(200))}, 5.0)
    monkeypatch.setenv("COLUMNS", "80")
    command = ["--lang", language, "endpoints", "unmanaged", "--home", str(context.home.root)]
    lines = CliRunner().invoke(seed_server, command, catch_exceptions=False).stdout.splitlines()
    use("en")
    assert len(lines) <= MACHINES_OF_A_SCREEN + 6
    assert max(map(cell_len, lines[: MACHINES_OF_A_SCREEN + 1])) <= 80
    assert f"{200 - MACHINES_OF_A_SCREEN}" in "".join(lines[MACHINES_OF_A_SCREEN + 1 :])
