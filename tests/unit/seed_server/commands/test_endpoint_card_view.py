"""`seed-server endpoints show`: one PC on a screen of 80 columns, in each language, and for programs."""

import json
import re

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from p2pdist.shared.language import TRANSLATIONS, use
from p2pdist.shared.manifest.inventory import Inventory
from seed_server.commands.main import seed_server
from seed_server.fleet.context import Context
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.store.rows import SeenRow
from tests.helpers.large_fleet import endpoint_id, large_fleet
from tests.helpers.stored_fleet import store
from tests.helpers.told_inventories import debian, tell

EVIL = "pc\x1b[2J\u202e[/evil][red]"


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    home = Context(ServerHome(tmp_path_factory.mktemp("home") / "home"))
    initialise(home.home, ServerSettings(name="hq", address="127.0.0.1"), passphrase=None, now=home.clock.now())
    with home.database() as database:
        store(database, large_fleet())
        database.save_facts({endpoint_id(34): {"os.id": "debian", "os.release": "12", "ram_mb": 8192}})
        database.save_findings({endpoint_id(34): ("clock",)})
        tell(database, endpoint_id(34), debian(told="some", vim="9", curl="8"), home.clock.now())
        tell(database, endpoint_id(0), debian(told="withheld"), home.clock.now() - 9 * 86_400)
        database.add_endpoint("q" * 26, EVIL, 1.0)
        hostile = {"hostname": "[/x][b]" + "w" * 240, "os.id": "[/x]", "kiosk": "v" * 250}
        tell(database, "q" * 26, Inventory(hostile), home.clock.now())
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
        "not known: the server does not run", "2 packages, and others that could not be read; told ",
        "os.family debian, os.release 12, ram_mb 8000",
    ):  # fmt: skip
        assert part in words, text


def test_a_card_lists_packages_where_it_is_asked_to(context: Context) -> None:
    assert "Packages that it has told" not in run(context, "endpoints", "show", "pc-034")
    shown = run(context, "endpoints", "show", "pc-034", "--packages").splitlines()
    assert [line.split() for line in shown[-3:]] == [
        ["package", "version", "rules"], ["curl", "8", "deb"], ["vim", "9", "deb"],
    ]  # fmt: skip
    assert "It has told no packages." in run(context, "endpoints", "show", "pc-001", "--packages")
    card = json.loads(run(context, "endpoints", "show", "pc-034", "--packages", "--json"))
    assert card["installed"][0] == {"ecosystem": "deb", "name": "curl", "version": "8"}
    assert json.loads(run(context, "endpoints", "show", "pc-034", "--json"))["installed"] is None


def test_a_card_says_what_is_not_known_of_a_pc_s_packages(context: Context) -> None:
    text = re.sub(r"\s+", " ", run(context, "endpoints", "show", "pc-000"))
    assert "packages withheld by its administrator; told " in text
    assert "not told lately: in questions it counts as unknown" in text
    assert "inventory it has told nothing yet" in re.sub(r"\s+", " ", run(context, "endpoints", "show", "pc-001"))
    hostile = run(context, "endpoints", "show", "qqqq")
    assert "0 packages; it does not say whether these are all" in re.sub(r"\s+", " ", hostile)
    assert "[/x]" in hostile
    assert "v" * 9 not in hostile, "a fact of no name"


def test_a_card_for_programs(context: Context) -> None:
    card = json.loads(run(context, "endpoints", "show", "pc-034", "--json"))
    assert (card["endpoint"]["hostname"], card["facts"]["ram_mb"], card["findings"]) == ("pc-034", "8192", ["clock"])
    assert (card["packages"], card["packages_told"], card["inventory_asked"]) == (2, "some", True)
    assert card["inventory_at"] > 1e9
    assert card["inventory_facts"] == {"os.family": "debian", "os.release": "12", "ram_mb": 8_000}
    assert (card["steps_left_out"], card["steps_left_out_at"]) == (0, None)
    untold = json.loads(run(context, "endpoints", "show", "pc-001", "--json"))
    keys = ("packages", "packages_told", "inventory_facts", "inventory_at")
    assert [untold[key] for key in keys] == [None] * 4
    assert card["patches"][0]["reached"] == "failed"
    assert (card["connected_beside"], card["beside"]) == (None, [])
