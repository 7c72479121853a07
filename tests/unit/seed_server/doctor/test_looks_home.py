"""What is seen of the home's files."""

from seed_server.doctor.looks_home import (
    is_known_zone,
    is_synchronised,
    known_zones,
    look_at_authority,
    look_at_files,
)
from seed_server.settings.home import ServerHome
from tests.unit.seed_server.doctor.conftest import MADE_AT


def test_a_new_home_is_closed_to_others(home: ServerHome) -> None:
    seen = look_at_files(home)
    assert (seen.distrust, seen.unreadable) == ((), "")
    assert seen.free_bytes


def test_a_key_that_others_can_read_and_a_map_that_they_can_change(home: ServerHome) -> None:
    (home.online_keys / "timestamp.pem").chmod(0o644)
    home.sites.chmod(0o666)
    home.webhooks_key.write_bytes(b"x")
    home.webhooks_key.chmod(0o644)
    distrust = look_at_files(home).distrust
    assert len(distrust) == 3
    assert "sites.toml may be changed by everybody" in distrust[0]
    assert "others can read" in distrust[1]
    assert "webhooks.key" in distrust[1]
    assert "timestamp.pem" in distrust[2]


def test_a_home_that_is_gone(home: ServerHome) -> None:
    assert "run this as the server's user" in look_at_files(ServerHome(home.root / "gone")).unreadable


def test_the_authority_lasts_for_years_and_a_damaged_one_is_said(home: ServerHome) -> None:
    facts, pem = look_at_authority(home)
    assert facts.expires_at > MADE_AT + 9 * 365 * 86_400
    assert "BEGIN CERTIFICATE" in pem
    (home.ca / "swarm-ca.crt.pem").write_text("x")
    facts, pem = look_at_authority(home)
    assert "damaged" in facts.problem
    assert pem == ""


def test_zones_and_clock() -> None:
    assert known_zones() > 100
    assert is_known_zone("Asia/Tokyo")
    assert not is_known_zone("Asia/Nowhere")
    assert is_synchronised() in (True, False, None)
