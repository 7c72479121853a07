"""`seed-server move`: what is shown, signed here or elsewhere, and refused."""

import json
from pathlib import Path

import click
import pytest
from msgspec.structs import replace

from p2pdist.shared.errors import UserError
from seed_server.commands.move_commands import MOST_SHOWN
from seed_server.settings.server_toml import write_settings
from seed_server.store.count_rows import MAX_PAGE_ROWS
from tests.helpers.signing_desk import SETTINGS, Company


@pytest.fixture
def company(tmp_path: Path) -> Company:
    company = Company(tmp_path)
    with company.database() as database:
        database.add_endpoint("a" * 26, "経理部のパソコン", 1.0)
    return company


def test_it_is_shown_who_does_not_know(company: Company) -> None:
    assert "no other" in company.on_server("move")
    said = company.on_server("move", "--to", "patches.example.com", "--web-port", 443, "--offline-keys", company.alice)
    assert "patches.example.com" in said
    assert "0 of 1 PCs know this list." in said
    assert "経理部のパソコン" in said
    assert "never" in said
    document = json.loads(company.on_server("move", "--json"))
    number = document["list"]
    assert document == {
        "list": number,
        "addresses": [
            {"host": SETTINGS.address, "web_port": 8443, "origin_port": 7690, "own": True},
            {"host": "patches.example.com", "web_port": 443, "origin_port": 7690, "own": False},
        ],
        "pcs": 1,
        "informed": 0,
        "uninformed": [
            {"id": "a" * 26, "hostname": "経理部のパソコン", "software": None, "connected": False, "last_seen_at": None}
        ],
        "moved_to": None,
    }
    with company.database() as database:
        database.save_known_servers({"a" * 26: number})
    assert "All PCs know. When the server answers at patches.example.com" in company.on_server("move")
    with pytest.raises(UserError, match="PCs would not look there"):
        company.on_server("move", "--finish", "--offline-keys", company.alice)
    write_settings(company.home, replace(SETTINGS, address="patches.example.com", web_port=443))
    said = company.on_server("move", "--finish", "--offline-keys", company.alice)
    assert SETTINGS.address not in said
    assert "0 of 1 PCs know this list." in said


def test_all_names_are_shown_where_all_are_wanted(company: Company) -> None:
    names = sorted(f"pc-{number}" for number in range(MAX_PAGE_ROWS + 5))
    with company.database() as database, database.batch():
        for number, name in enumerate(names):
            database.add_endpoint(f"{number:026}", name, 1.0)
    company.on_server("move", "--to", "patches.example.com", "--offline-keys", company.alice)
    assert f"… and {MAX_PAGE_ROWS + 6 - MOST_SHOWN} more: --names" in company.on_server("move")
    assert "more:" not in company.on_server("move", "--names")
    assert len(json.loads(company.on_server("move", "--json"))["uninformed"]) == MAX_PAGE_ROWS
    named = json.loads(company.on_server("move", "--json", "--names"))["uninformed"]
    assert [pc["hostname"] for pc in named] == [*names, "経理部のパソコン"]


def test_it_is_signed_on_another_machine_which_shows_the_addresses(company: Company) -> None:
    company.on_server("move", "--to", "patches.example.com", "--prepare", company.bundle)
    assert company.repository().servers() is None
    said = company.sign(company.alice)
    assert "PCs look for the server at, list " in said
    assert "| patches.example.com, ports 8443 and 7690" in said
    company.finish()
    signed = company.repository().servers()
    assert signed is not None
    assert [address.host for address in signed.addresses] == [SETTINGS.address, "patches.example.com"]
    company.on_server("move", "--cancel", "--prepare", company.bundle)
    with pytest.raises(UserError, match="--allow-changes"):
        company.sign(company.alice)
    company.sign(company.alice, "--allow-changes")
    company.finish()
    assert "PCs know one address" in company.on_server("move") or "They are told" in company.on_server("move")


def test_one_thing_is_done_at_a_time(company: Company) -> None:
    with pytest.raises(click.UsageError, match="Give one of"):
        company.on_server("move", "--to", "hq", "--finish")
    with pytest.raises(click.UsageError, match="leave out --prepare"):
        company.on_server("move", "--prepare", company.bundle)


@pytest.mark.parametrize(
    ("options", "words"),
    [(("--web-port", 443), "--to"), (("--origin-port", 443, "--finish"), "--to"), (("--even-if", 3), "--finish")],
)
def test_an_option_that_would_be_without_effect_is_said(
    company: Company, options: tuple[object, ...], words: str
) -> None:
    with pytest.raises(click.UsageError, match=f"goes with {words}"):
        company.on_server("move", *options)


def test_what_is_prepared_and_not_finished_has_no_effect_on_a_home_that_was_left(company: Company) -> None:
    company.on_server("move", "--to", "patches.example.com", "--offline-keys", company.alice)
    company.prepare(company.file())
    early = company.bundle.rename(company.directory / "early.bundle")
    company.on_server("move", "--leave")
    with pytest.raises(UserError, match="reaches no PC"):
        company.on_server("finish", early)
    company.on_server("move", "--cancel", "--prepare", company.bundle)
    assert "has moved" in company.on_server("move")
    company.sign(company.alice, "--allow-changes")
    company.finish()
    assert "has moved" not in company.on_server("move")


def test_a_home_that_was_left_says_where_its_server_is(company: Company) -> None:
    company.on_server("move", "--to", "patches.example.com", "--offline-keys", company.alice)
    assert "has moved: to patches.example.com" in company.on_server("move", "--leave")
    with pytest.raises(UserError, match="has moved"):
        company.on_server("serve")
    company.on_server("move", "--cancel", "--offline-keys", company.alice)
    assert "has moved" not in company.on_server("move")
