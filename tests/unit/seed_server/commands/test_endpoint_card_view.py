"""`seed-server endpoints show`: one PC on a screen of 80 columns, in each language, and for programs."""

import json
import re

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from p2pdist.shared.language import TRANSLATIONS, use
from seed_server.commands.main import seed_server
from seed_server.fleet.context import Context
from seed_server.initialising import initialise
from seed_server.settings import ServerHome, ServerSettings
from seed_server.store.rows import SeenRow
from tests.helpers.large_fleet import endpoint_id, large_fleet
from tests.helpers.stored_fleet import store

EVIL = "pc\x1b[2J\u202eevil"


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    home = Context(ServerHome(tmp_path_factory.mktemp("home") / "home"))
    initialise(home.home, ServerSettings(name="hq", address="127.0.0.1"), passphrase=None, now=home.clock.now())
    with home.database() as database:
        store(database, large_fleet())
        database.save_facts({endpoint_id(34): {"os.id": "debian", "os.release": "12", "ram_mb": 8192}})
        database.save_findings({endpoint_id(34): ("clock",)})
        database.add_endpoint("q" * 26, EVIL, 1.0)
        database.save_seen({"q" * 26: SeenRow(site="", address="", software=EVIL, connected=False, last_seen_at=0.0)})
    return home


def run(context: Context, *words: str) -> str:
    result = CliRunner().invoke(seed_server, [*words, "--home", str(context.home.root)])
    assert result.exit_code == 0, result.output + str(result.exception)
    return result.stdout


@pytest.mark.parametrize("language", ["en", *TRANSLATIONS])
@pytest.mark.parametrize("pc", ["pc-034", "pc-000", "pc-199", "pc-013", "qqqq"])
def test_a_card_fits_a_screen(context: Context, monkeypatch: pytest.MonkeyPatch, language: str, pc: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = run(context, "--lang", language, "endpoints", "show", pc)
    use("en")
    assert max(map(cell_len, text.splitlines())) <= 80, text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert len(text.splitlines()) <= 45, text


def test_a_card_says_what_a_pc_lacks_and_why(context: Context) -> None:
    text = run(context, "endpoints", "show", "pc-034")
    words = re.sub(r"\s+", " ", text)
    for part in (
        f"pc-034 ({endpoint_id(34)})", "Patches: 22 of 24 done or not for it", "exit code 1603",
        "debian, 12, 8192 MB of memory", "clock (see docs/doctor.md)", "the token is not known",
        f"seed-server status --endpoint {endpoint_id(34)}", f"report history --endpoint {endpoint_id(34)}",
        "not known: the server does not run",
    ):  # fmt: skip
        assert part in words, text


def test_a_card_for_programs(context: Context) -> None:
    card = json.loads(run(context, "endpoints", "show", "pc-034", "--json"))
    assert (card["endpoint"]["hostname"], card["facts"]["ram_mb"], card["findings"]) == ("pc-034", "8192", ["clock"])
    assert card["patches"][0]["reached"] == "failed"
    assert (card["connected_beside"], card["beside"]) == (None, [])
