"""What people type for a PC or a site: one of it, or none."""

from pathlib import Path

import pytest

from p2pdist.shared.clock import SystemClock
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.context import Context
from seed_server.fleet.names import check_site_known, named_endpoint
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.store.database import Database
from seed_server.store.pc_names import LEAST_PREFIX_CHARS
from seed_server.store.rows import SeenRow

ID, OTHER = "a" * 26, "aaab" + "a" * 22


@pytest.fixture
def context(tmp_path: Path) -> Context:
    home = ServerHome(tmp_path / "home")
    initialise(home, ServerSettings(name="hq", address="127.0.35.1"), passphrase=None, now=SystemClock().now())
    with Database.open(home.database) as database:
        database.add_endpoint(ID, "PC-7", 1.0)
        database.add_endpoint(OTHER, ID, 1.0)  # a PC may call itself as another one's id
        database.save_seen(
            {ID: SeenRow(site="auto-10.0.0.0/24", address="", software="", connected=False, last_seen_at=1.0)}
        )
    return Context(home)


@pytest.mark.parametrize(
    ("text", "meant"), [("pc-7", ID), ("PC-7.corp.example", ID), (f" {ID.upper()} ", ID), (ID, ID), (OTHER[:4], OTHER)]
)
def test_an_id_its_beginning_or_a_name_is_enough(context: Context, text: str, meant: str) -> None:
    assert named_endpoint(context, text).endpoint_id == meant


@pytest.mark.parametrize("text", ["a" * LEAST_PREFIX_CHARS + "!", "a" * (LEAST_PREFIX_CHARS - 1), "", "pc"])
def test_what_names_none_is_refused(context: Context, text: str) -> None:
    with pytest.raises(UserError, match="is enrolled here") as refused:
        named_endpoint(context, text)
    assert refused.value.kind is FaultKind.BAD_INPUT


def test_of_several_it_is_said_what_tells_them_apart(context: Context) -> None:
    with context.database() as database:
        for number in range(6):
            database.add_endpoint(f"b{number}" + "b" * 24, "kiosk.corp.example", 1.0)
        database.save_seen(
            {
                "b0" + "b" * 24: SeenRow(
                    site="leeds", address="10.0.0.7", software="", connected=False, last_seen_at=86_400.0
                )
            }
        )
    with pytest.raises(UserError, match="kiosk names 6 endpoints") as refused:
        named_endpoint(context, "kiosk")
    assert f"b0{'b' * 24} (kiosk.corp.example, leeds, 10.0.0.7, 1970-01-02), b1" in refused.value.message
    assert "b4" in refused.value.message
    assert f"b5{'b' * 24}" not in refused.value.message
    assert refused.value.kind is FaultKind.BAD_INPUT


def test_a_name_like_the_beginning_of_an_id_names_nobody_alone(context: Context) -> None:
    """PCs choose their names: none draws upon itself, or away from itself, what is meant for another."""
    with context.database() as database:
        database.add_endpoint("q" * 26, ID[:8], 1.0)
    with pytest.raises(UserError, match="names 2 endpoints"):
        named_endpoint(context, ID[:8])


def test_what_is_nearest_is_named(context: Context) -> None:
    for typed, meant in (("pc-77", "PC-7"), ("aaab" + "a" * 21 + "b", OTHER)):
        with pytest.raises(UserError, match=f"Did you mean '{meant}'"):
            named_endpoint(context, typed)


def test_of_one_that_was_forgotten_that_is_said(context: Context) -> None:
    with context.database() as database:
        database.forget_endpoint(ID, 5.0)
    with pytest.raises(UserError, match=f"{ID} had that name, and was forgotten"):
        named_endpoint(context, "pc-7")


def test_a_site_is_known_by_the_map_or_by_its_pcs(context: Context) -> None:
    context.home.sites.write_text('[[site]]\nname = "leeds"\nnetworks = ["10.1.0.0/16"]\n')
    check_site_known(context, "leeds")
    check_site_known(context, "auto-10.0.0.0/24")
    with pytest.raises(UserError, match="Did you mean 'leeds'"):
        check_site_known(context, "leds")
    with pytest.raises(UserError, match="--new-site"):
        check_site_known(context, "oslo")
