"""What `seed-server doctor` prints, and how it ends."""

import json
import re
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from p2pdist.shared.errors import UserError
from p2pdist.shared.language import in_words, use
from seed_server.answers.doctor import ServerDoctorDocument, SiteFinding
from seed_server.answers.site_findings import judge_site
from seed_server.commands.main import seed_server
from seed_server.doctor.server_findings import judge_server
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.store.database import Database
from seed_server.store.rows import SeenRow
from tests.unit.seed_server.answers import test_site_findings as of_sites
from tests.unit.seed_server.doctor.test_server_findings import OIDC, SETTINGS, WRONG, well

NOW = 1_800_000_000.0


@pytest.fixture
def home(tmp_path: Path) -> Path:
    settings = ServerSettings(name="hq", address="127.0.0.1", web_port=1, origin_port=2)
    initialise(ServerHome(tmp_path / "home"), settings, passphrase=None, now=NOW)
    return tmp_path / "home"


def test_a_server_that_is_off_and_whose_clock_is_back_ends_with_1(home: Path) -> None:
    result = CliRunner().invoke(seed_server, ["doctor", "--home", str(home), "--json"])
    assert result.exit_code == 1
    document = msgspec.convert(json.loads(result.output), ServerDoctorDocument, strict=True)
    assert [one.code for one in document.findings if one.verdict == "wrong"] == ["server-running", "server-clock"]
    assert document.site is None
    shown = CliRunner().invoke(seed_server, ["doctor", "--home", str(home), "--lang", "ja"])
    use("en")
    assert shown.exit_code == 1
    assert "シードサーバーの管理者へ" in shown.output
    assert "\x1b" not in shown.output


def test_what_is_no_home_is_said_as_by_every_command(tmp_path: Path) -> None:
    assert CliRunner().invoke(seed_server, ["doctor", "--home", str(tmp_path / "none")]).exit_code != 0


def untranslated(findings: list[SiteFinding]) -> set[str]:
    use("ja")
    try:
        own = {text for one in findings for text in (one.observed, one.remedy) if text}
        return {text for text in own if in_words(text) == text}
    finally:
        use("en")


def test_every_sentence_about_a_site_is_said_in_japanese() -> None:
    off = replace(of_sites.AWAY, serving=False, limit=None, file_bytes=0)
    facts = [*(one for _, one, _, _ in of_sites.WRONG), of_sites.FACTS, off, replace(of_sites.AWAY, elsewhere=0)]
    assert untranslated([one for each in facts for one in judge_site(each)]) == set()


def test_of_a_site_that_nobody_knows_the_command_says_so(home: Path) -> None:
    result = CliRunner().invoke(seed_server, ["doctor", "--home", str(home), "--site", "leeds"])
    assert isinstance(result.exception, UserError | SystemExit)
    assert result.exit_code != 0


def test_of_a_site_its_pcs_are_looked_at(home: Path) -> None:
    with Database.open(ServerHome(home).database) as database:
        database.add_endpoint("a" * 26, "pc-1", NOW)
        database.save_seen({"a" * 26: SeenRow("leeds", "10.0.0.1", "p2pdist 0", False, NOW, shared_with="pc-2")})
    result = CliRunner().invoke(seed_server, ["doctor", "--home", str(home), "--site", "leeds", "--json"])
    document = msgspec.convert(json.loads(result.output), ServerDoctorDocument, strict=True)
    assert document.site == "leeds"
    assert document.findings[0].code == "site-identity"
    assert "pc-1" in document.findings[0].observed
    assert result.exit_code == 1


def test_every_sentence_about_the_server_is_said_in_japanese() -> None:
    """But for what others say in their own words, and what names a place alone."""
    oidc = msgspec.structs.replace(SETTINGS, oidc=OIDC)
    english = [one for _, changed, _, _ in WRONG for one in judge_server(well(**{"settings": oidc} | changed))]
    english += judge_server(well(serving=False)) + judge_server(well())
    left = untranslated(english)
    others = {
        "server.toml: no such key", "others can read keys/x.pem; chmod 600 x.", "keys/ca is damaged.", "do this",
        "snapshot.json is damaged.", "The disk is full.", "The database is damaged.", "Leasing pauses at sites: all.",
        "PCs have seen another audit log. And more.", "Rollout 3 is not carried on.", "The site map cannot be used.",
        "No PC is connected.", "The signed root metadata expires.",
    }  # fmt: skip
    assert {text for text in left if not re.search("[ぁ-ん]", text)} <= others
