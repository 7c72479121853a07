"""`seed_server.fleet.overview`: counts from sums are those that a look at each PC gives."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import PatchRef
from seed_server.fleet.context import Context
from seed_server.fleet.coverage import Announced, Reached, coverage
from seed_server.fleet.estimate import PACE_SECONDS, Estimate, NoPace
from seed_server.fleet.overview import fleet_head, patches_named, progress_of
from seed_server.fleet.paging import number_of_site
from seed_server.fleet.queries import FleetStatus
from seed_server.settings.home import ServerHome
from seed_server.store.database import Database
from tests.helpers.large_fleet import enrolled, reported
from tests.helpers.stored_fleet import NOW, store
from tests.helpers.varied_fleet import PATCHES, varied_fleet

OFFERED = Announced(frozenset(PatchRef(f"p-{number}", "1") for number in range(PATCHES)))


@pytest.mark.parametrize("serving", [True, False])
@pytest.mark.parametrize("site", [None, "leeds"])
def test_counts_are_those_of_a_look_at_each_pc(varied: Database, site: str | None, *, serving: bool) -> None:
    head = fleet_head(varied, OFFERED, varied.patch_heads(), server_name="hq", serving=serving)
    where = None if site is None else varied.site_number(site)
    here = [row for row in varied.endpoints() if site in (None, row.site)]
    for progress in progress_of(varied, head, head.patches, NOW, site=where):
        reports = varied.reports_on(progress.patch.ref)
        looked = coverage(here, reports, serving=serving)
        assert progress.counts == {one: looked.count(one) for one in Reached}
        assert progress.total == looked.total == sum(not row.denied for row in here)
        ids = {row.endpoint_id for row in here if not row.denied}
        assert progress.verified == sum(one.state == "verified" for one in reports if one.endpoint_id in ids)
        assert sum(progress.states.values()) == progress.total - progress.counts[Reached.SILENT]


def test_the_rest_is_done_at_the_pace_of_the_last_hours_or_since_the_publication(tmp_path: Path) -> None:
    """Ten PCs have it, five are under way, and one of these is off."""
    patch = varied_fleet().patches[1]
    pcs = [enrolled(number) for number in range(1, 16)]
    pcs[-1] = replace(pcs[-1], connected=False)
    reports = [replace(reported(number, patch, 1), install_reason="") for number in range(1, 16)]
    reports = [
        replace(one, state="verified", install="installed")
        if place < 10
        else replace(one, state="fetching", install="")
        for place, one in enumerate(reports)
    ]
    with Database.create(tmp_path / "state.db") as database:
        store(database, FleetStatus("hq", True, [patch], pcs, reports))
        head = fleet_head(database, OFFERED, database.patch_heads(), server_name="hq", serving=True)
        (progress,) = progress_of(database, head, head.patches, NOW)
        assert progress.counts[Reached.UNDER_WAY] in (3, 4), "number 10 of all is off in that fleet"
        assert progress.rest == Estimate(progress.counts[Reached.UNDER_WAY] * PACE_SECONDS / 10)
        young = [replace(one, published_at=NOW - 600.0) for one in head.patches]
        (progress,) = progress_of(database, head, young, NOW)
        assert progress.rest == Estimate(progress.counts[Reached.UNDER_WAY] * 600.0 / 10)
        (progress,) = progress_of(database, head, head.patches, NOW + PACE_SECONDS)
        assert progress.rest == Estimate(None, NoPace.NOBODY)


def test_emergencies_come_first_and_then_the_newest(varied: Database) -> None:
    head = fleet_head(varied, OFFERED, varied.patch_heads(), server_name="hq", serving=True)
    assert [patch.patch_id for patch in head.patches] == ["p-3", "p-2", "p-1", "p-0"]
    gone = Announced(OFFERED.offered and OFFERED.offered - {PatchRef("p-2", "1")})
    head = fleet_head(varied, gone, varied.patch_heads(), server_name="hq", serving=True)
    assert [patch.patch_id for patch in head.patches] == ["p-3", "p-1", "p-0"]
    assert [patch.patch_id for patch in head.history] == ["p-2"]
    assert patches_named(head, "p-2") == list(head.history), "what is history can still be asked for"


def test_an_unknown_name_is_refused_with_the_nearest_one(varied: Database, tmp_path: Path) -> None:
    head = fleet_head(varied, OFFERED, varied.patch_heads(), server_name="hq", serving=True)
    with pytest.raises(UserError, match="Did you mean 'p-3'"):
        patches_named(head, "p-33")
    context = Context(ServerHome(tmp_path))
    with pytest.raises(UserError, match="Did you mean 'leeds'"):
        number_of_site(context, varied, "leds")
    with pytest.raises(UserError, match="No site '' is known"):
        number_of_site(context, varied, "")
    context.home.sites.write_text('[[site]]\nname = "york"\nnetworks = ["10.1.0.0/16"]\n')
    assert number_of_site(context, varied, "york") is None, "it is to come"
