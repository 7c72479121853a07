"""`seed_server.fleet.reason_codes`: which reasons are meant."""

from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from p2pdist.install.schedule import TimingReason
from p2pdist.shared.language import in_words, use
from p2pdist.status.reasons import WhyReason
from seed_server.commands.main import seed_server
from seed_server.fleet.reason_codes import REASON_CODES, named_by
from tests.helpers.sources import ROOT

FULL = "The disk is full: /var/lib/p2pdist/a.msi cannot grow. Free some space; what is there already is kept."


@pytest.fixture(autouse=True)
def _english_again() -> Iterator[None]:
    yield
    use("en")


def test_pcs_say_what_each_code_stands_for() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "p2pdist").rglob("*.py")).casefold()
    assert [part for parts in REASON_CODES.values() for part in parts if part.casefold() not in sources] == []


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_code_means_the_same_in_each_language(language: str) -> None:
    use(language)
    assert named_by("disk_full")(FULL)
    assert named_by("disk_full")(WhyReason.DISK_FULL)
    assert not named_by("disk_full")("setup.exe ended with exit code 1603")
    assert named_by("window")(TimingReason.NO_WINDOW)
    assert not named_by("window")(TimingReason.BLACKOUT)


def test_english_words_are_meant_in_any_case_and_no_sign_stands_for_others() -> None:
    assert named_by("DISK is")(FULL)
    assert named_by("Straße")("the printer in STRASSE 5")
    assert not named_by("disk%full")(FULL)
    assert not named_by("disk_Full")(FULL), "no code, and no words of it"


def test_words_of_the_screens_are_meant_too() -> None:
    use("ja")
    shown = in_words(TimingReason.NO_WINDOW)
    assert shown != TimingReason.NO_WINDOW
    assert named_by(shown[2:6])(TimingReason.NO_WINDOW)
    assert not named_by(shown)(FULL)
    assert named_by("maintenance")(TimingReason.NO_WINDOW), "and English ones"
    use("en")
    assert not named_by(shown)(TimingReason.NO_WINDOW)


def test_help_and_manual_name_each_code() -> None:
    told = " ".join(CliRunner().invoke(seed_server, ["status", "--help"]).output.split())
    assert f"Codes of --reason: {', '.join(REASON_CODES)}." in told
    manual = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert ", ".join(f"`{code}`" for code in REASON_CODES) in manual
