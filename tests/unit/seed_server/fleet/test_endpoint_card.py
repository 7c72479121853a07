"""`seed_server.fleet.endpoint_card`: one PC, with all that is known of it."""

from pathlib import Path

import pytest

from p2pdist.shared.errors import UserError
from seed_server.fleet.context import Context
from seed_server.fleet.coverage import Reached
from seed_server.fleet.endpoint_card import SHOWN_STEPS, read_endpoint
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.store.endpoint_cards import MOST_BESIDE
from tests.helpers.large_fleet import FAILED_EVERY, FAILING, PATCHES, PCS, WHY_FAILED, endpoint_id, large_fleet
from tests.helpers.stored_fleet import store

FAILED = FAILED_EVERY * 2


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    folder: Path = tmp_path_factory.mktemp("home")
    home = Context(ServerHome(folder / "home"))
    initialise(home.home, ServerSettings(name="hq", address="127.0.0.1"), passphrase=None, now=home.clock.now())
    with home.database() as database:
        store(database, large_fleet())
        database.add_enrolment(endpoint_id(FAILED), "0123456789ab", 7.0)
        database.save_facts({endpoint_id(FAILED): {"os.id": "debian", "ram_mb": 8192}})
        database.save_findings({endpoint_id(FAILED): ("clock", "vpn")})
    return home


def test_a_pc_has_all_that_is_known_of_it(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seed_server.fleet.overview.is_serving", lambda _home: True)
    card = read_endpoint(context, f"PC-{FAILED:03}.corp.example")
    known = card.known
    assert (card.endpoint.endpoint_id, card.connected, card.total) == (endpoint_id(FAILED), True, PATCHES - 1)
    assert [(one.token_id, one.at, one.made_by) for one in known.enrolments] == [("0123456789ab", 7.0, "")]
    assert (known.facts, known.findings) == ({"os.id": "debian", "ram_mb": 8192}, ["clock", "vpn"])
    first, second, *rest = card.patches
    assert (first.patch.patch_id, first.reached, tuple(first.pc.reasons)) == (
        f"acme-product-{FAILING:02}", Reached.FAILED, (WHY_FAILED,),
    )  # fmt: skip
    assert second.reached is Reached.UNDER_WAY
    assert {row.reached for row in rest} <= {Reached.INSTALLED, Reached.DELIVERED}
    assert len(card.steps) == SHOWN_STEPS
    here = [n for n in range(PCS - 1) if n % 2 == FAILED % 2 and n % 10 != 0 and n != FAILED]
    assert known.beside == len(here)
    assert [one.endpoint_id for one in known.some_beside] == [endpoint_id(n) for n in here[:MOST_BESIDE]]


def test_who_was_never_seen_is_told_of_as_far_as_it_is_known(context: Context) -> None:
    card = read_endpoint(context, "pc-000")
    assert {row.reached for row in card.patches} == {Reached.SILENT}
    assert (card.steps, card.known.facts, card.known.findings, card.known.enrolments) == ([], None, [], [])
    assert not card.connected


def test_who_came_back_was_forgotten_before(context: Context) -> None:
    with context.database() as database:
        database.forget_endpoint(endpoint_id(1), 8.0)
    with pytest.raises(UserError, match="was forgotten"):
        read_endpoint(context, "pc-001")
    with context.database() as database:
        database.add_endpoint(endpoint_id(1), "pc-001", 9.0)
    card = read_endpoint(context, "pc-001")
    assert [one.forgotten_at for one in card.known.forgotten] == [8.0]
    assert card.steps, "its history stays"
